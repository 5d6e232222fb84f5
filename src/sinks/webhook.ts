import { hopsOf, maxHops } from '../core/hops.ts'
import type { Outcome } from '../core/outcome.ts'
import { standardWebhooksRetry } from '../core/retry.ts'
import { webhookOutcome } from '../core/webhook-outcome.ts'
import { egressWarnings } from '../io/egress-warning.ts'
import { type HttpClient, openHttpClient } from '../io/http-client.ts'
import { openSharedClient } from '../io/shared-client.ts'
import { defineSink } from '../plugin/define.ts'
import type { Sink, SinkContext } from '../plugin/sink.ts'
import { attemptHeaders, fixedHeaders } from './webhook/headers.ts'
import { createSignerAt } from './webhook/keys.ts'
import { messageOf } from './webhook/message.ts'
import { type WebhookOptions, webhookOptions } from './webhook/options.ts'
import { webhookAtRunTime } from './webhook/run-time.ts'

/** Sends each event in one HTTP POST of its own. */
export const webhook = defineSink({
  name: 'webhook',
  summary: 'Sends each event as one signed HTTP POST, and tries again when the receiver cannot take it.',
  delivers:
    'At least once. An event is done when the receiver answers 2xx; a failed attempt is repeated by the retry policy with ' +
    'the same webhook-id, so a receiver that remembers ids handles each event once. After a crash the last attempts may be ' +
    'repeated. 408, 409, 425, 429, 5xx and no answer: again; 3xx and other 4xx: dead letter; 410: the subscription is disabled. ' +
    'Only public addresses are reached, over https; private ones by egress.allow.',
  options: webhookOptions,
  example: { url: 'https://example.com/hook' },
  // A receiver is far slower than the log: events read long before their turn would only grow old in memory.
  defaults: {
    concurrency: 16,
    timeoutMs: 15_000,
    window: 256,
    retry: standardWebhooksRetry,
    breaker: { failures: 10, openMs: 30_000, disableAfterMs: 5 * 86_400_000 },
  },
  atRunTime: webhookAtRunTime,
  create: (options, { concurrency, egress, isShared }): Sink =>
    createWebhook(options, () =>
      isShared === true ? openSharedClient(egress) : openHttpClient({ connections: concurrency, egress }),
    ),
  warn: ({ url }, { egress }) => egressWarnings(new URL(url), egress, 'no delivery will succeed'),
})

const tooManyHops: Outcome = {
  outcome: 'reject',
  reason: `the event came through ${maxHops} pipelines already, which looks like a circle`,
}

const acknowledged: readonly Outcome[] = Object.freeze([{ outcome: 'ack' }])

/** What every attempt needs, made at the first one: most of ten thousand endpoints are quiet. */
function prepare(options: WebhookOptions, open: () => HttpClient) {
  return {
    url: new URL(options.url),
    fixed: fixedHeaders(options.headers ?? {}),
    signAt: createSignerAt(options),
    format: options.format ?? 'structured',
    client: open(),
  }
}

function createWebhook(options: WebhookOptions, open: () => HttpClient): Sink {
  let prepared: ReturnType<typeof prepare> | undefined
  return {
    // Not an async function: this is the way of every attempt, and one promise is enough.
    deliver([delivery], context) {
      const { clock } = context
      const { event, messageId: id, isTest = false } = delivery!
      const hops = hopsOf(event) + 1
      if (hops > maxHops) return [tooManyHops]
      prepared ??= prepare(options, open)
      const { url, fixed, signAt, format, client } = prepared
      const { body, headers } = messageOf(delivery!, format)
      const began = clock.monotonic()
      const timestampMs = clock.now()
      const request = {
        url,
        headers: attemptHeaders(fixed, headers, { id, timestampMs, body, hops }, signAt(timestampMs)),
        body,
        keepsExcerpt: isTest,
        onAbort: (listener: () => void) => onAbort(context, listener),
      }
      return client.post(request, (answer) => {
        const isPlain = answer.kind === 'response' && answer.status >= 200 && answer.status < 300 && !isTest
        if (isPlain) return acknowledged
        const durationMs = Math.round(clock.monotonic() - began)
        const met = answer.kind === 'blocked' ? answer : { ...answer, durationMs }
        return [webhookOutcome(met, clock.now(), isTest)]
      })
    },
    async close() {
      await prepared?.client.close()
      prepared = undefined
    },
  }
}

function onAbort(context: SinkContext, listener: () => void): void {
  if (context.onAbort !== undefined) context.onAbort(listener)
  else if (context.signal.aborted) listener()
  else context.signal.addEventListener('abort', listener, { once: true })
}
