import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { check } from '../plugin/check.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { Received } from '../plugin/source.ts'
import { createPluginContext } from '../testing/plugin-context.ts'
import { webhook } from './webhook.ts'

const nowMs = 1_800_000_000_000
const seconds = String(nowMs / 1_000)
const secret = 'a-secret-agreed-on-42'

interface Sent {
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array
  readonly query?: string
  readonly at?: number
}

/** A request to a source with these options. */
function receive(
  options: Record<string, unknown>,
  { headers = {}, body = '{}', query = '', at = nowMs }: Sent,
): Received {
  const checked = check(webhook.declaration.options, { secret, ...options })
  if (!checked.ok) throw new Error(JSON.stringify(checked.issues))
  const source = webhook.declaration.create(checked.value, { directory: '.', platform: nodePlatform })
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const clock = { now: () => at, monotonic: () => at }
  return source.receive!({ method: 'POST', query, headers, body: bytes }, createPluginContext({ clock }))
}

function eventOf(received: Received) {
  if (received.kind !== 'events') throw new Error(`not events: ${JSON.stringify(received)}`)
  return received.events[0]!
}

const hex = (content: string, key = secret, algorithm = 'sha256') =>
  createHmac(algorithm, key).update(content).digest('hex')
const unauthorized = { kind: 'unauthorized' }

describe('Standard Webhooks', () => {
  const whsec = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const body = '{"type":"invoice.paid","timestamp":"2027-01-15T08:00:00Z","data":{"total":12345678901234567890}}'
  const signed = (key = whsec, id = 'msg_1', at = nowMs, text = body) => ({
    'webhook-id': id,
    'webhook-timestamp': String(at / 1_000),
    'webhook-signature': new Webhook(key).sign(id, new Date(at), text),
    'content-type': 'application/json',
  })
  const options = { scheme: 'standard', secret: whsec }

  test('what the reference library signs is an event with the id of the message and the bytes of its data', () => {
    const event = eventOf(receive(options, { headers: signed(), body }))
    expect(event).toMatchObject({ id: 'msg_1', type: 'invoice.paid', time: '2027-01-15T08:00:00Z', dataText: body })
  })

  test('the published test vector is accepted', () => {
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    }
    const sent = { headers, body: '{"test": 2432232314}', at: 1_614_265_330_000 }
    const known = { scheme: 'standard', secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }
    expect(eventOf(receive(known, sent))).toMatchObject({ id: headers['webhook-id'], type: 'webhook.received' })
  })

  // SEC-21
  test.each([
    ['another body', { headers: signed(), body: `${body} ` }],
    ['another id', { headers: { ...signed(), 'webhook-id': 'msg_2' }, body }],
    ['another time', { headers: { ...signed(), 'webhook-timestamp': String(nowMs / 1_000 + 1) }, body }],
    ['another secret', { headers: signed(`whsec_${Buffer.alloc(32, 8).toString('base64')}`), body }],
    ['no signature', { headers: { ...signed(), 'webhook-signature': '' }, body }],
    ['no headers at all', { body }],
    [
      'an unknown version only',
      { headers: { ...signed(), 'webhook-signature': signed()['webhook-signature'].replace('v1', 'v2') }, body },
    ],
    ['a dot in its id', { headers: signed(whsec, 'msg.1'), body }],
  ])('with %s is unauthorized', (_, sent) => {
    expect(receive(options, sent)).toEqual(unauthorized)
  })

  // SEC-21, SEC-22
  test.each([
    [300, true],
    [301, false],
    [-300, true],
    [-301, false],
  ])('a request signed %d s ago is taken: %s', (age, isTaken) => {
    const received = receive(options, { headers: signed(whsec, 'msg_1', nowMs - age * 1_000), body })
    expect(received.kind).toBe(isTaken ? 'events' : 'unauthorized')
  })

  // SEC-19, SEC-21
  test('each of several signatures is tried with each of several secrets, up to eight signatures', () => {
    const old = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
    const right = signed()['webhook-signature']
    const wrong = signed(old, 'msg_9')['webhook-signature']
    const listed = (...all: string[]) =>
      receive(
        { ...options, secret: [old, whsec] },
        { headers: { ...signed(), 'webhook-signature': all.join(' ') }, body },
      )
    expect(listed(right).kind).toBe('events')
    expect(listed(wrong, right).kind).toBe('events')
    expect(listed(...Array.from({ length: 7 }, () => wrong), right).kind).toBe('events')
    expect(listed(...Array.from({ length: 8 }, () => wrong), right)).toEqual(unauthorized)
  })

  test('a signature of a key pair is taken with the public key', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const whpk = `whpk_${publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')}`
    const signature = sign(null, Buffer.from(`msg_1.${seconds}.${body}`), privateKey).toString('base64')
    const headers = { ...signed(), 'webhook-signature': `v1a,${signature}` }
    expect(receive({ ...options, secret: whpk }, { headers, body }).kind).toBe('events')
    expect(receive({ ...options, secret: whpk }, { headers, body: '{}' })).toEqual(unauthorized)
    expect(receive(options, { headers, body })).toEqual(unauthorized)
  })
})

describe('GitHub', () => {
  const body = '{"ref":"refs/heads/main","repository":{"full_name":"octo/hello"}}'
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
    'x-github-hook-id': '292430182',
    'x-hub-signature-256': `sha256=${hex(body)}`,
  }

  test('a push is github.push of its repository, with the id of the delivery', () => {
    expect(eventOf(receive({ scheme: 'github' }, { headers, body }))).toEqual({
      id: '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      type: 'github.push',
      subject: 'octo/hello',
      time: undefined,
      data: JSON.parse(body),
      dataText: body,
      meta: { githubevent: 'push', githubhookid: '292430182' },
    })
  })

  // The example of GitHub's documentation.
  test('the published test vector is accepted', () => {
    const vector = {
      headers: {
        'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
        'x-github-event': 'ping',
      },
      body: 'Hello, World!',
    }
    const received = receive({ scheme: 'github', secret: "It's a Secret to Everybody" }, vector)
    expect(received).toMatchObject({ kind: 'refused', code: 'body-malformed' })
  })

  test('a form whose payload is the JSON is the same', () => {
    const form = new URLSearchParams({ payload: body }).toString()
    const sent = {
      headers: {
        ...headers,
        'content-type': 'application/x-www-form-urlencoded',
        'x-hub-signature-256': `sha256=${hex(form)}`,
      },
      body: form,
    }
    expect(eventOf(receive({ scheme: 'github' }, sent))).toMatchObject({ type: 'github.push', dataText: body })
  })

  test.each([
    `sha1=${hex(body)}`,
    `sha512=${hex(body)}`,
    hex(body),
    'sha256=',
    `sha256=${hex(body).slice(0, 32)}`,
    'sha256=zz',
  ])('the signature %s is unauthorized', (signature) => {
    expect(receive({ scheme: 'github' }, { headers: { ...headers, 'x-hub-signature-256': signature }, body })).toEqual(
      unauthorized,
    )
  })
})

describe('Stripe', () => {
  const body =
    '{"id":"evt_1","type":"customer.subscription.created","created":1800000000,"data":{"object":{"id":"sub_7"}}}'
  const signature = (at = seconds, text = body) => `t=${at},v1=${hex(`${at}.${text}`)},v0=${hex('old')}`

  test('an event keeps the id, type and time that Stripe gave it', () => {
    const headers = { 'stripe-signature': signature(), 'content-type': 'application/json; charset=utf-8' }
    expect(eventOf(receive({ scheme: 'stripe' }, { headers, body }))).toMatchObject({
      id: 'evt_1',
      type: 'customer.subscription.created',
      subject: 'sub_7',
      time: '2027-01-15T08:00:00.000Z',
    })
  })

  test.each([
    ['old', signature(String(nowMs / 1_000 - 301))],
    ['without a time', `v1=${hex(`.${body}`)}`],
    ['with two times', `${signature()},t=1`],
    ['of another body', signature(seconds, '{}')],
    ['of the old version only', `t=${seconds},v0=${hex(`${seconds}.${body}`)}`],
  ])('a signature %s is unauthorized', (_, given) => {
    expect(receive({ scheme: 'stripe' }, { headers: { 'stripe-signature': given }, body })).toEqual(unauthorized)
  })

  test('while the secret changes, the new signature beside the old one is enough', () => {
    const headers = {
      'stripe-signature': `t=${seconds},v1=${hex(`${seconds}.${body}`, 'the-old-secret')},v1=${hex(`${seconds}.${body}`)}`,
    }
    expect(receive({ scheme: 'stripe' }, { headers, body }).kind).toBe('events')
  })
})

describe('Slack', () => {
  const signed = (body: string, type = 'application/json', at = seconds) => ({
    headers: {
      'content-type': type,
      'x-slack-request-timestamp': at,
      'x-slack-signature': `v0=${hex(`v0:${at}:${body}`)}`,
    },
    body,
  })

  test('an event of the Events API has the id that Slack gave it', () => {
    const body =
      '{"type":"event_callback","event_id":"Ev1","event_time":1800000000,"event":{"type":"app_mention","channel":"C7"}}'
    expect(eventOf(receive({ scheme: 'slack' }, signed(body)))).toMatchObject({
      id: 'Ev1',
      type: 'slack.app_mention',
      subject: 'C7',
      time: '2027-01-15T08:00:00.000Z',
    })
  })

  test('the handshake is answered with its challenge, once the signature is right', () => {
    const sent = signed('{"type":"url_verification","challenge":"abc","token":"t"}')
    expect(receive({ scheme: 'slack' }, sent)).toEqual({ kind: 'answer', text: 'abc' })
    expect(receive({ scheme: 'slack', secret: 'another-secret' }, sent)).toEqual(unauthorized)
  })

  test('a command is a form, whose fields are the data', () => {
    const form = 'command=%2Fweather&text=94070&trigger_id=13345224609.738474920&channel_id=C7'
    expect(eventOf(receive({ scheme: 'slack' }, signed(form, 'application/x-www-form-urlencoded')))).toMatchObject({
      id: '13345224609.738474920',
      type: 'slack.command',
      subject: 'C7',
      data: { command: '/weather', text: '94070' },
    })
  })

  test('an interaction is the JSON of its payload', () => {
    const form = new URLSearchParams({ payload: '{"type":"block_actions","trigger_id":"1.2"}' }).toString()
    expect(eventOf(receive({ scheme: 'slack' }, signed(form, 'application/x-www-form-urlencoded')))).toMatchObject({
      id: '1.2',
      type: 'slack.block_actions',
    })
  })

  test('an old request is unauthorized', () => {
    expect(receive({ scheme: 'slack' }, signed('{}', 'application/json', String(nowMs / 1_000 - 301)))).toEqual(
      unauthorized,
    )
  })
})

describe('a plain HMAC', () => {
  const body = '{"order":{"no":7,"kind":"rush order"}}'
  test.each([
    [{ header: 'X-Signature' }, hex(body)],
    [{ header: 'X-Signature', algorithm: 'sha512', prefix: 'sha512=' }, `sha512=${hex(body, secret, 'sha512')}`],
    [{ header: 'X-Signature', algorithm: 'sha1' }, hex(body, secret, 'sha1')],
    [{ header: 'x-signature', encoding: 'base64' }, createHmac('sha256', secret).update(body).digest('base64')],
    [{ header: 'X-Signature' }, `${hex('else')}, ${hex(body)}`],
    [{ header: 'X-Signature', secret: [secret, 'the-secret-before'] }, `${hex(body)}, ${hex('else')}`],
  ])('with %o is checked as said', (options, signature) => {
    const of = (text: string) => receive({ scheme: 'hmac', ...options }, { headers: { 'x-signature': text }, body })
    expect(of(signature).kind).toBe('events')
    expect(of(signature.replace(/.$/, (last) => (last === '0' ? '1' : '0')).replace(/^.{9}/, ''))).toEqual(unauthorized)
  })

  test('the same body is the same event; another is another', () => {
    const id = (text: string) =>
      eventOf(receive({ scheme: 'hmac', header: 'x-s' }, { headers: { 'x-s': hex(text) }, body: text })).id
    expect(id(body)).toBe(id(body))
    expect(id(body)).not.toBe(id(`${body} `))
  })

  test('fields come from where the options say', () => {
    const options = {
      scheme: 'hmac',
      header: 'x-s',
      id: '"order-" + string(int(body.order.no))',
      map: { type: '$.order.kind', subject: 'query.shop', data: '$.order', time: 'headers["x-at"]' },
      meta: ['X-Shop-Domain'],
    }
    const headers = { 'x-s': hex(body), 'x-shop-domain': 'a.example', 'x-at': 'yesterday' }
    expect(eventOf(receive(options, { headers, body, query: 'shop=berlin' }))).toEqual({
      id: 'order-7',
      type: 'rush_order',
      subject: 'berlin',
      time: undefined,
      data: { no: 7, kind: 'rush order' },
      meta: { shopdomain: 'a.example' },
    })
  })
})

describe('a bearer token', () => {
  // SEC-25
  test.each([
    [{}, { authorization: `Bearer ${secret}` }, true],
    [{}, { authorization: secret }, false],
    [{}, { authorization: `Bearer ${secret}x` }, false],
    [{}, {}, false],
    [{ header: 'X-Gitlab-Token' }, { 'x-gitlab-token': secret }, true],
    [{ header: 'X-Gitlab-Token' }, { authorization: `Bearer ${secret}` }, false],
  ])('with %o and %o is taken: %s', (options, headers, isTaken) => {
    expect(receive({ scheme: 'bearer', ...options }, { headers: headers as Record<string, string> }).kind).toBe(
      isTaken ? 'events' : 'unauthorized',
    )
  })
})

describe('a body', () => {
  const sent = (body: string | Uint8Array, type?: string) =>
    receive(
      { scheme: 'bearer' },
      { headers: { authorization: `Bearer ${secret}`, ...(type !== undefined && { 'content-type': type }) }, body },
    )
  // SEC-32, SEC-33, SEC-34
  test.each([
    ['{', 'application/json', 'body-malformed'],
    ['', undefined, 'body-malformed'],
    [Uint8Array.of(0x22, 0xff, 0x22), 'application/json', 'body-malformed'],
    ['['.repeat(100_000), 'application/json', 'body-malformed'],
    ['{}', 'text/plain', 'content-type-unsupported'],
    ['<a/>', 'application/xml', 'content-type-unsupported'],
  ])('%j as %s is refused', (body, type, code) => {
    expect(sent(body, type)).toMatchObject({ kind: 'refused', code })
  })

  test('says nothing of itself in the refusal', () => {
    expect(JSON.stringify(sent('{"card":4111'))).not.toContain('4111')
  })

  test('may be any JSON, and keeps a key __proto__ as data', () => {
    expect(eventOf(sent('{"__proto__":{"a":1}}', 'application/vnd.shop+json')).dataText).toBe('{"__proto__":{"a":1}}')
    expect(eventOf(sent(' [1] ')).dataText).toBe('[1]')
  })
})

describe('options', () => {
  test.each([
    [{ scheme: 'hmac' }, 'header'],
    [{ scheme: 'github', header: 'x-a' }, 'header'],
    [{ scheme: 'stripe', algorithm: 'sha1' }, 'algorithm'],
    [{ scheme: 'standard' }, 'secret'],
    [{ scheme: 'standard', secret: `whsk_${Buffer.alloc(64).toString('base64')}` }, 'secret'],
    [{ scheme: 'github', secret: 'short' }, 'secret'],
    [{ scheme: 'github', secret: Array.from({ length: 9 }, () => secret) }, 'secret'],
    [{ scheme: 'github', id: '$..id' }, 'id'],
    [{ scheme: 'github', tolerance: '2d' }, 'tolerance'],
  ])('%j has a problem with %s', (options, path) => {
    const checked = check(webhook.declaration.options, { secret, ...options })
    expect(checked).toMatchObject({ ok: false, issues: [{ path: expect.arrayContaining([path]) }] })
    expect(JSON.stringify(checked)).not.toContain(secret)
  })
})
