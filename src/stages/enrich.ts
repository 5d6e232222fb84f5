import { Breaker } from '../core/breaker.ts'
import type { Json } from '../core/event.ts'
import { parseRetryAfter } from '../core/retry.ts'
import { evaluateFor, rejectingExpressions } from '../io/expression-option.ts'
import { type HttpClient, openHttpClient } from '../io/http-client.ts'
import { headersOption } from '../io/http-options.ts'
import { type Pick, pickOption } from '../io/pick.ts'
import { type CreateContext, defineStage } from '../plugin/define.ts'
import { changeAt, type EventPath, hasRoom, pathOption } from '../plugin/event-path.ts'
import { schema } from '../plugin/schema.ts'
import type { Stage, StageInput, StageResult } from '../plugin/stage.ts'
import { count, duration, size } from '../plugin/values.ts'
import { addressFor, addressOption } from './enrich/address.ts'
import { createCache } from './enrich/cache.ts'

const options = schema.strictObject({
  url: addressOption(
    'Where to ask, with expressions in braces, which are percent-encoded: https://crm.example/customers/{data.customer}.',
  ),
  headers: headersOption('Headers of the request.').default({}),
  pick: pickOption('What of the answer is taken: a path such as $.customer. Default: all of it.', [
    'answer',
  ]).optional(),
  into: pathOption('Where it goes: data.customer, meta.tier or context.customer.', ['data', 'meta', 'context']),
  missing: schema
    .enum(['skip', 'retry', 'reject'])
    .describe(
      'When there is nothing (204, 404, 410, or the URL lacks a value): the event goes on without it (default), waits, or is rejected.',
    )
    .default('skip'),
  maxBody: size('The longest answer that is read. Default: 1MiB.').default(1024 * 1024),
  cache: schema
    .strictObject({
      ttl: duration('How long an answer is used again. Default: 5m.').default(300_000),
      size: count('Answers kept. Default: 1000; 0: none.', 0).default(1000),
    })
    .describe('Answers that are used again.')
    .prefault({}),
  breaker: schema
    .strictObject({
      failures: count('So many failures in a row. Default: 5.').default(5),
      open: duration('How long nothing is asked then. Default: 30s.', 1).default(30_000),
    })
    .describe('When the other side counts as down, and events wait without asking.')
    .prefault({}),
})
type Options = schema.output<typeof options>

/** Looks something up over HTTP and puts it into the event or its context. */
export const enrich = defineStage({
  name: 'enrich',
  summary: 'Looks something up over HTTP and puts the answer into data, meta or the context.',
  options,
  example: { url: 'https://crm.example/customers/{data.customer}', into: 'data.customer' },
  create: (given, context) => createEnrich(given, context),
})

type Found = { readonly value: Json | undefined } | StageResult

function createEnrich(given: Options, { egress, platform }: CreateContext): Stage {
  const cache = createCache(given.cache.ttl, given.cache.size)
  const breaker = new Breaker(
    { failures: given.breaker.failures, openMs: given.breaker.open, disableAfterMs: undefined },
    1,
  )
  let client: HttpClient | undefined
  /** By address: what is being asked, for all events that want to know. */
  const asking = new Map<string, Promise<{ readonly found: Found; readonly isGivenUp: boolean }>>()

  const look = async (url: URL, input: StageInput): Promise<Found> => {
    const { href } = url
    const known = cache.get(href, platform.clock.now())
    if (known !== undefined) return known
    if (given.cache.size === 0) return ask(url, input)
    const asked = asking.get(href)
    if (asked !== undefined) {
      const { found, isGivenUp } = await asked
      // That the one who asked was out of time says nothing of the other side.
      return isGivenUp ? look(url, input) : found
    }
    const answer = ask(url, input)
      .then((found) => ({ found, isGivenUp: input.signal.aborted }))
      .finally(() => asking.delete(href))
    asking.set(href, answer)
    return (await answer).found
  }

  const ask = async (url: URL, { signal }: StageInput): Promise<Found> => {
    const now = platform.clock.now()
    const waitMs = breaker.waitMs(now)
    if (waitMs > 0)
      return {
        outcome: 'retry',
        reason: `${url.host} did not answer lately`,
        delay: `${Math.ceil(waitMs)}ms`,
        isWait: true,
      }
    client ??= openHttpClient({ egress })
    const headers = Object.entries({ accept: 'application/json', ...given.headers }).flat()
    const answer = await client.request({
      url,
      headers,
      maxBodyBytes: given.maxBody,
      onAbort: (listener) => (signal.aborted ? listener() : signal.addEventListener('abort', listener, { once: true })),
    })
    if (answer.kind === 'blocked')
      return { outcome: 'reject', reason: `${url.host} is not allowed: see egress.allow in the configuration` }
    const isIll = answer.kind === 'failed' || answer.status >= 500 || answer.status === 429 || answer.status === 408
    if (isIll) breaker.fail(platform.clock.now())
    else breaker.succeed()
    if (answer.kind === 'failed') return { outcome: 'retry', reason: `${url.host}: ${answer.failure}` }
    const { status } = answer
    if (isIll)
      return { outcome: 'retry', reason: `${url.host} answered ${status}`, delay: retryAfter(answer.headers, now) }
    if (status === 404 || status === 410 || status === 204) return keep(url, undefined)
    if (status < 200 || status > 299) return { outcome: 'reject', reason: `${url.host} answered ${status}` }
    if (answer.isTruncated) return { outcome: 'reject', reason: `the answer of ${url.host} is too long: see maxBody` }
    const read = readAnswer(answer.body.toString('utf8'), given.pick)
    return read.ok ? keep(url, read.value) : { outcome: 'retry', reason: `the answer of ${url.host} is not JSON` }
  }
  const keep = (url: URL, value: Json | undefined): Found => {
    if (given.cache.size > 0) cache.set(url.href, value, platform.clock.now())
    return { value }
  }
  return {
    async process(input) {
      const url = rejectingExpressions(() => addressFor(given.url, (part) => evaluateFor(part, input)))
      if (url !== undefined && 'outcome' in url) return given.missing === 'reject' ? url : nothingFor(given.missing)
      const found = url === undefined ? { value: undefined } : await look(url, input)
      if ('outcome' in found) return found
      return found.value === undefined ? nothingFor(given.missing) : put(found.value, given.into, input)
    },
    async close() {
      await client?.close()
      client = undefined
    },
  }
}

function nothingFor(missing: Options['missing']): StageResult | undefined {
  return missing === 'skip' ? undefined : { outcome: missing, reason: 'there is nothing to be found' }
}

function retryAfter(headers: ReadonlyMap<string, string>, nowMs: number): string | undefined {
  const text = headers.get('retry-after')
  const ms = text === undefined ? undefined : parseRetryAfter(text, nowMs)
  return ms === undefined ? undefined : `${Math.ceil(ms)}ms`
}

type Read = { readonly ok: true; readonly value: Json | undefined } | { readonly ok: false }

function readAnswer(text: string, pick: Pick | undefined): Read {
  try {
    const answer = JSON.parse(text) as Json
    return { ok: true, value: pick === undefined ? answer : pick({ answer }) }
  } catch {
    return { ok: false }
  }
}

function put(value: Json, { root, steps, text }: EventPath, { event, context }: StageInput): StageResult {
  if (root === 'data' && event.record.data instanceof Uint8Array)
    return { outcome: 'reject', reason: 'the data is not JSON: nothing can be put into it' }
  const before = root === 'data' ? event.data : root === 'meta' ? event.meta : context
  if (!hasRoom(before, steps))
    return { outcome: 'reject', reason: `${text} cannot be made: what is there is no object` }
  const after = changeAt(before, steps, () => value, true)
  if (root === 'context') return { outcome: 'ack', context: after as Readonly<Record<string, Json>> }
  return { outcome: 'ack', event: { [root]: after } }
}
