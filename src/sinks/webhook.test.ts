import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HTTP } from 'cloudevents'
import { afterEach, describe, expect, it } from 'vitest'
import { Event } from '../core/event.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Delivery, SinkContext } from '../plugin/sink.ts'
import { webhook } from './webhook.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

async function receive(answer: (response: ServerResponse) => void) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text) => (body += text))
    request.on('end', () => {
      received.push({ headers: request.headers, body })
      answer(response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` }
}

const record = {
  sequence: 7,
  appendedAt: 1_750_000_000_000,
  id: '42',
  source: 'shop',
  type: 'order.placed',
  subject: 'o-1',
  data: '{"total":1}',
}
const delivery: Delivery = { event: new Event(record), attempt: 1, messageId: 'msg_abc', context: {} }

function open(options: Parameters<typeof webhook>[0]) {
  const use = webhook(options)
  const sink = use.declaration.create(use.declaration.options.parse(use.options), {
    directory: '/',
    platform: undefined as never,
  })
  cleanups.push(() => sink.close?.())
  let ms = 0
  return async (signal = new AbortController().signal, now = 1_750_000_001_999): Promise<Outcome> => {
    const context = {
      name: 'crm',
      signal,
      clock: { now: () => now, monotonic: () => (ms += 5) },
    } as unknown as SinkContext
    return (await sink.deliver([delivery], context))![0]!
  }
}

describe('the sink webhook', () => {
  // S0-26
  it('posts one CloudEvent with the headers of Standard Webhooks and the user', async () => {
    const { received, url } = await receive((response) => response.writeHead(204).end())
    const deliver = open({ url, headers: { Authorization: 'Bearer x', 'X-Team': 'crm' } })
    expect(await deliver()).toEqual({ outcome: 'ack' })
    const { headers, body } = received[0]!
    expect(headers).toMatchObject({
      authorization: 'Bearer x',
      'x-team': 'crm',
      'webhook-id': 'msg_abc',
      'webhook-timestamp': '1750000001',
    })
    expect(JSON.parse(body)).toMatchObject({ specversion: '1.0', id: '42', sequence: '7', data: { total: 1 } })
    const parsed = HTTP.toEvent({ headers, body })
    expect(parsed).toMatchObject({ id: '42', source: 'shop', type: 'order.placed', subject: 'o-1', data: { total: 1 } })
  })

  // G15, K8
  it('keeps the id over attempts and gives each its own timestamp', async () => {
    const { received, url } = await receive((response) => response.writeHead(503).end())
    const deliver = open({ url })
    await deliver()
    await deliver(undefined, 1_750_000_060_000)
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual(['msg_abc', 'msg_abc'])
    expect(received.map(({ headers }) => headers['webhook-timestamp'])).toEqual(['1750000001', '1750000060'])
  })

  it('tells a failure with status, duration, excerpt and Retry-After', async () => {
    const { url } = await receive((response) =>
      response.writeHead(429, { 'retry-after': '30', 'content-type': 'text/plain' }).end('slow down'),
    )
    expect(await open({ url })()).toEqual({
      outcome: 'retry',
      reason: 'status 429',
      delayMs: 30_000,
      detail: { status: 429, durationMs: 5, excerpt: 'slow down' },
    })
  })

  it('disables the subscription for 410', async () => {
    const { url } = await receive((response) => response.writeHead(410).end())
    expect(await open({ url })()).toMatchObject({ outcome: 'reject', disable: true })
  })

  it('is a retry when the receiver does not answer in time', async () => {
    const asked = Promise.withResolvers<void>()
    const { url } = await receive(() => asked.resolve())
    const controller = new AbortController()
    const outcome = open({ url })(controller.signal)
    await asked.promise
    controller.abort()
    expect(await outcome).toMatchObject({ outcome: 'retry', reason: 'timeout' })
  })
})

describe('the options of the sink webhook', () => {
  const problems = (options: unknown): string[] =>
    (webhook.declaration.options.safeParse(options).error?.issues ?? []).map(({ message }) => message)

  // S0-77
  it('says when the url is missing', () => {
    expect(problems({})).toEqual(["Webhook sink requires a 'url' configuration"])
    expect(problems({ url: '' })).toEqual(["Webhook sink requires a 'url' configuration"])
  })

  // SEC-2, SEC-79
  it.each(['ftp://canary.example/', 'file:///canary', 'canary', 'https://user:canary@example.com/', 'data:,canary'])(
    'refuses %s without repeating it',
    (url) => {
      const found = problems({ url })
      expect(found).toHaveLength(1)
      expect(found[0]).not.toContain('canary')
    },
  )

  // SEC-26
  it.each([
    ['Host', 'x'],
    ['content-length', '1'],
    ['Webhook-Id', 'x'],
    ['connection', 'close'],
    ['Transfer-Encoding', 'chunked'],
    ['bad name', 'x'],
    ['x-a', 'canary\r\nx-b: c'],
    ['x-a', 'canary\0'],
    ['x-a', 'canary é'],
  ])('refuses the header %s: %s', (name, value) => {
    const found = problems({ url: 'https://example.com/', headers: { [name]: value } })
    expect(found).toHaveLength(1)
    expect(found[0]).not.toContain('canary')
  })

  it('refuses unknown options', () => {
    expect(problems({ url: 'https://example.com/', retries: 3 })).toHaveLength(1)
  })
})
