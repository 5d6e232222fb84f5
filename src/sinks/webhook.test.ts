import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HTTP } from 'cloudevents'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it } from 'vitest'
import { Event } from '../core/event.ts'
import { formatIssue } from '../core/issues.ts'
import type { Outcome } from '../core/outcome.ts'
import { createVerifier, generateKeyPair, generateSharedSecret, parseVerifyingSecret } from '../io/signing.ts'
import { createCatalogue } from '../plugin/catalogue.ts'
import { checkPipeline } from '../plugin/pipeline-config.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { Delivery, SinkContext } from '../plugin/sink.ts'
import { memory } from '../stores/memory.ts'
import { loopbackEgress } from '../testing/loopback-egress.ts'
import { webhook } from './webhook.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

async function receive(answer: (response: ServerResponse) => void, chunks: Buffer[] = []) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      body += String(chunk)
    })
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

function open(options: Parameters<typeof webhook>[0], more: Partial<Delivery> = {}, egress = loopbackEgress) {
  const use = webhook(options)
  const sink = use.declaration.create(use.declaration.options.parse(use.options), {
    directory: '/',
    platform: undefined as never,
    egress,
  })
  cleanups.push(() => sink.close?.())
  let ms = 0
  return async (signal = new AbortController().signal, now = 1_750_000_001_999): Promise<Outcome> => {
    const context = {
      name: 'crm',
      signal,
      clock: { now: () => now, monotonic: () => (ms += 5) },
    } as unknown as SinkContext
    return (await sink.deliver([{ ...delivery, ...more }], context))![0]!
  }
}

describe('the sink webhook', () => {
  // S0-26, S2-33
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
      retryAfterMs: 30_000,
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

const headersOf = ({ headers }: Received) => headers as Record<string, string>

describe('signing by the sink webhook', () => {
  const withBytes = { event: new Event({ ...record, data: Buffer.from([0, 255]), datacontenttype: 'image/png' }) }

  // SEC-17
  it('signs exactly what it sends, so that the standardwebhooks package takes it', async () => {
    const secret = generateSharedSecret()
    const { received, url } = await receive((response) => response.end())
    for (const format of ['structured', 'binary'] as const) {
      const now = Date.now()
      await open({ url, secret, format })(undefined, now)
      const last = received.at(-1)!
      expect(new Webhook(secret).verify(last.body, headersOf(last))).toEqual(JSON.parse(last.body))
      expect(() => new Webhook(secret).verify(`${last.body} `, headersOf(last))).toThrow()
    }
  })

  // SEC-19
  it('has a signature by every secret while they are changed, the newest first', async () => {
    const [newest, old, other] = [generateSharedSecret(), generateSharedSecret(), generateSharedSecret()]
    const { received, url } = await receive((response) => response.end())
    await open({ url, secrets: [newest, old] })(undefined, Date.now())
    const [got] = received
    for (const secret of [newest, old])
      expect(new Webhook(secret).verify(got!.body, headersOf(got!))).toMatchObject({ id: '42' })
    expect(() => new Webhook(other).verify(got!.body, headersOf(got!))).toThrow()
    const [first] = String(got!.headers['webhook-signature']).split(' ')
    expect(new Webhook(newest).verify(got!.body, { ...headersOf(got!), 'webhook-signature': first! })).toBeDefined()
  })

  // SEC-18
  it('signs with a private key, text and bytes', async () => {
    const { secret, publicKey } = generateKeyPair()
    const parsed = parseVerifyingSecret(publicKey)
    const verify = createVerifier(parsed.ok ? [parsed.key] : [])
    const chunks: Buffer[] = []
    const { received, url } = await receive((response) => response.end(), chunks)
    await open({ url, secret, format: 'binary' }, withBytes)(undefined, Date.now())
    const { headers } = received[0]!
    expect(headers).toMatchObject({ 'content-type': 'image/png', 'ce-id': '42' })
    const request = {
      id: String(headers['webhook-id']),
      timestamp: String(headers['webhook-timestamp']),
      signature: String(headers['webhook-signature']),
      body: Buffer.concat(chunks),
    }
    expect(request.body).toEqual(Buffer.from([0, 255]))
    expect(verify(request, Date.now())).toBe(true)
  })

  // SEC-20, G15
  it('signs each attempt with its own time under the same id', async () => {
    const secret = generateSharedSecret()
    const { received, url } = await receive((response) => response.writeHead(503).end())
    const deliver = open({ url, secret })
    await deliver(undefined, 1_750_000_000_000)
    await deliver(undefined, 1_750_000_001_000)
    const signatures = received.map(({ headers }) => headers['webhook-signature'])
    expect(new Set(signatures).size).toBe(2)
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual(['msg_abc', 'msg_abc'])
  })

  it('sends no signature without a secret', async () => {
    const { received, url } = await receive((response) => response.end())
    await open({ url })()
    expect(received[0]!.headers).not.toHaveProperty('webhook-signature')
    expect(received[0]!.headers['user-agent']).toBe('Millrace')
  })
})

describe('what the sink webhook sends and refuses', () => {
  it('sends the body that the subscription made', async () => {
    const { received, url } = await receive((response) => response.end())
    await open({ url }, { body: '{"text":"hi"}' })()
    expect(received[0]).toMatchObject({ body: '{"text":"hi"}' })
    expect(received[0]!.headers['content-type']).toBe('application/json; charset=utf-8')
  })

  // SEC-3, SEC-13
  it('rejects a refused address, in the same words whatever is there', async () => {
    const { received, url } = await receive((response) => response.end('canary'))
    const outcomes = [
      await open({ url }, {}, { allow: [] })(),
      await open({ url: 'http://127.0.0.1:9999/' }, {}, { allow: [] })(),
      await open({ url: 'https://169.254.169.254/latest' })(),
      await open({ url: 'https://localhost/' }, {}, { allow: [] })(),
    ]
    for (const outcome of outcomes)
      expect(outcome).toEqual({ outcome: 'reject', reason: 'the egress rules do not allow the address' })
    expect(received).toEqual([])
  })

  // SEC-16
  it('says how many pipelines an event went through, and ends a circle', async () => {
    const { received, url } = await receive((response) => response.end())
    const behind = (hops: number) => ({ event: new Event({ ...record, meta: `{"millracehops":${hops}}` }) })
    await open({ url })()
    expect(await open({ url }, behind(4))()).toEqual({ outcome: 'ack' })
    expect(await open({ url }, behind(5))()).toMatchObject({ outcome: 'reject' })
    expect(received.map(({ headers }) => headers['millrace-hops'])).toEqual(['1', '5'])
  })

  // SEC-79
  it('keeps URL, headers and secrets out of every outcome', async () => {
    const secret = `whsec_${Buffer.from('canary-canary-canary-canary').toString('base64')}`
    const canary = { headers: { authorization: 'Bearer canary' }, secret }
    const { url } = await receive((response) => response.writeHead(500).end())
    const outcomes = [
      await open({ ...canary, url: `${url}/canary?token=canary` })(),
      await open({ ...canary, url: 'http://127.0.0.1:1/canary' })(),
      await open({ ...canary, url: 'https://127.0.0.1:1/canary' })(),
      await open({ ...canary, url: 'https://canary.invalid/' })(),
    ]
    const text = JSON.stringify(outcomes)
    expect(text).not.toContain('canary')
    expect(text).not.toContain(secret.slice(6))
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
    ['ce-id', 'x'],
    ['Millrace-Hops', '0'],
    ['x-a', 'canary\r\nx-b: c'],
    ['x-a', 'canary\0'],
    ['x-a', 'canary é'],
  ])('refuses the header %s: %s', (name, value) => {
    const found = problems({ url: 'https://example.com/', headers: { [name]: value } })
    expect(found).toHaveLength(1)
    expect(found[0]).not.toContain('canary')
  })

  // SEC-18, SEC-79
  it('refuses secrets that cannot sign, without repeating them', () => {
    const url = 'https://example.com/'
    const found = [
      ...problems({ url, secret: 'canary' }),
      ...problems({ url, secret: 'whsec_canary' }),
      ...problems({ url, secrets: [generateSharedSecret(), 'whpk_canary'] }),
      ...problems({ url, secrets: [] }),
      ...problems({ url, secrets: [generateSharedSecret()], secret: generateSharedSecret() }),
    ]
    expect(found).toHaveLength(5)
    expect(found.join()).not.toContain('canary')
    expect(found[4]).toBe('write either secret or secrets, not both')
  })

  // SEC-11
  it('warns of an address that the egress rules refuse, and does not fail', () => {
    const warningsOf = (url: string, ...allow: string[]) => {
      const config = { store: memory(), egress: { allow }, subscriptions: { crm: { sink: webhook({ url }) } } }
      const checked = checkPipeline(config, createCatalogue([webhook]), { directory: '/', platform: nodePlatform })
      if (!checked.ok) throw new Error(checked.issues.map(formatIssue).join())
      return checked.warnings.map(formatIssue)
    }
    for (const url of ['http://127.0.0.1:7118/canary', 'https://10.0.0.1/', 'http://example.com/', 'https://[::1]/'])
      expect(warningsOf(url), url).toEqual([expect.stringMatching(/^subscriptions\.crm\.sink\.url: the egress rules/)])
    expect(warningsOf('http://127.0.0.1:7118/canary').join()).toMatch(
      /put "127\.0\.0\.1:7118" into egress\.allow to open it$/,
    )
    expect(warningsOf('http://127.0.0.1:7118/canary').join()).not.toContain('canary')
    expect(warningsOf('http://169.254.169.254/').join()).toMatch(/no rule opens it$/)
    expect(warningsOf('http://127.0.0.1:7118/', '127.0.0.1:7118')).toEqual([])
    expect(warningsOf('https://example.com/')).toEqual([])
  })

  it('refuses unknown options', () => {
    expect(problems({ url: 'https://example.com/', retries: 3 })).toHaveLength(1)
  })
})
