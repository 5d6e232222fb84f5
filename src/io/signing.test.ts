import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import {
  createSigner,
  createVerifier,
  generateKeyPair,
  generateSharedSecret,
  maxSignatures,
  type ParsedSecret,
  parseSigningSecret,
  parseVerifyingSecret,
  type SigningKey,
} from './signing.ts'

function keyOf(parsed: ParsedSecret): SigningKey {
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.key
}
const signing = (...secrets: string[]) => createSigner(secrets.map((secret) => keyOf(parseSigningSecret(secret))))
const verifying = (secrets: string[], toleranceMs?: number) =>
  createVerifier(
    secrets.map((secret) => keyOf(parseVerifyingSecret(secret))),
    toleranceMs === undefined ? {} : { toleranceMs },
  )

// The example that Standard Webhooks and Svix publish.
const published = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  seconds: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}
// The same message with the key pair of Svix's own tests.
const pair = {
  secret: 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==',
  publicKey: 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=',
  signature: 'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
}
const { id, seconds, body } = published
const nowMs = seconds * 1000
const presented = (
  signature: string,
  more: Partial<{ id: string; timestamp: string; body: string | Uint8Array }> = {},
) => ({
  id,
  timestamp: String(seconds),
  body,
  ...more,
  signature,
})

describe('signing', () => {
  // SEC-17
  test('gives the published signature, of text and of bytes', () => {
    const sign = signing(published.secret)
    expect(sign(id, seconds, body)).toBe(published.signature)
    expect(sign(id, seconds, Buffer.from(body))).toBe(published.signature)
  })

  // SEC-17, SEC-18
  test('gives the published signature of a key pair', () => {
    expect(signing(pair.secret)(id, seconds, body)).toBe(pair.signature)
    const seedOnly = `whsk_${Buffer.from(pair.secret.slice(5), 'base64').subarray(0, 32).toString('base64')}`
    expect(signing(seedOnly)(id, seconds, body)).toBe(pair.signature)
  })

  // SEC-19
  test('gives one signature for each secret while they are rotated', () => {
    expect(signing(pair.secret, published.secret)(id, seconds, body)).toBe(`${pair.signature} ${published.signature}`)
  })

  // SEC-17
  test('is what the standardwebhooks package verifies, and the other way round', () => {
    const [old, secret] = [generateSharedSecret(), generateSharedSecret()]
    const now = Math.floor(Date.now() / 1000)
    const text = JSON.stringify({ text: 'héllo \u2028 😀' })
    const headers = (signature: string) => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(now),
      'webhook-signature': signature,
    })
    const both = signing(secret, old)('msg_1', now, text)
    for (const each of [secret, old]) expect(new Webhook(each).verify(text, headers(both))).toEqual(JSON.parse(text))
    expect(() => new Webhook(generateSharedSecret()).verify(text, headers(both))).toThrow()
    const theirs = new Webhook(secret).sign('msg_1', new Date(now * 1000), text)
    const request = { id: 'msg_1', timestamp: String(now), body: Buffer.from(text), signature: theirs }
    expect(verifying([secret])(request, Date.now())).toBe(true)
  })
})

describe('verifying', () => {
  // SEC-17
  test('takes the published signatures', () => {
    expect(verifying([published.secret])(presented(published.signature), nowMs)).toBe(true)
    expect(verifying([published.secret])(presented(published.signature, { body: Buffer.from(body) }), nowMs)).toBe(true)
    expect(verifying([pair.publicKey])(presented(pair.signature), nowMs)).toBe(true)
  })

  // SEC-21
  test('takes a signature among others, and looks at eight of them', () => {
    const others = (count: number) => Array.from({ length: count }, () => 'v1,AAAA')
    const check = verifying([published.secret])
    expect(check(presented([...others(maxSignatures - 1), published.signature].join(' ')), nowMs)).toBe(true)
    expect(check(presented([...others(maxSignatures), published.signature].join(' ')), nowMs)).toBe(false)
    expect(check(presented(`v1a,AAAA v2,x ${published.signature}`), nowMs)).toBe(true)
  })

  // SEC-21
  test('takes a time within the tolerance, five minutes by default', () => {
    const check = verifying([published.secret])
    for (const [offsetMs, expected] of [
      [300_000, true],
      [-300_000, true],
      [300_001, false],
      [-300_001, false],
    ] as const)
      expect(check(presented(published.signature), nowMs + offsetMs), String(offsetMs)).toBe(expected)
    expect(verifying([published.secret], 1000)(presented(published.signature), nowMs + 2000)).toBe(false)
  })

  // SEC-21
  test.each([
    ['another body', { body: `${body} ` }],
    ['another id', { id: 'msg_other' }],
    ['another time', { timestamp: String(seconds + 1) }],
    ['a time that is none', { timestamp: `${seconds}x` }],
    ['no time', { timestamp: '' }],
    ['no id', { id: '' }],
  ])('refuses %s', (_, more) => {
    expect(verifying([published.secret])(presented(published.signature, more), nowMs)).toBe(false)
    expect(verifying([pair.publicKey])(presented(pair.signature, more), nowMs)).toBe(false)
  })

  test.each([
    '',
    'v1',
    'v1,',
    published.signature.slice(3),
    `v1a,${published.signature.slice(3)}`,
    'v1,AAAA',
    'v1a,AAAA',
  ])('refuses the signature %j', (signature) => {
    expect(verifying([published.secret, pair.publicKey])(presented(signature), nowMs)).toBe(false)
  })

  // SEC-20
  test('refuses an id with a dot: its parts could be read as another id and time', () => {
    const shifted = { id: 'msg_1.5', timestamp: String(seconds), body: 'x' }
    const signature = signing(published.secret)('msg_1', 5, `${seconds}.x`)
    expect(verifying([published.secret])({ ...shifted, signature }, nowMs)).toBe(false)
  })

  test('refuses the signature of another secret', () => {
    expect(verifying([generateSharedSecret()])(presented(published.signature), nowMs)).toBe(false)
    expect(verifying([generateKeyPair().publicKey])(presented(pair.signature), nowMs)).toBe(false)
  })
})

describe('secrets', () => {
  // SEC-18
  test('new ones have 32 random bytes and work', () => {
    const secret = generateSharedSecret()
    expect(Buffer.from(secret.slice(6), 'base64')).toHaveLength(32)
    expect(generateSharedSecret()).not.toBe(secret)
    const { secret: own, publicKey } = generateKeyPair()
    expect(verifying([publicKey])(presented(signing(own)(id, seconds, body)), nowMs)).toBe(true)
  })

  // SEC-18, SEC-79
  test.each([
    ['canary', 'begins with whsec_'],
    ['whsec_Y2FuYXJ5', '24 to 64 bytes'],
    [`whsec_${'canary'.repeat(20)}`, '24 to 64 bytes'],
    ['whsec_canary canary canary canary canary', '24 to 64 bytes'],
    ['whsk_Y2FuYXJ5', '32 or 64 bytes'],
    [pair.publicKey, 'private one'],
  ])('%s does not sign, and is not repeated', (text, words) => {
    const parsed = parseSigningSecret(text)
    expect(parsed).toMatchObject({ ok: false, problem: expect.stringContaining(words) })
    expect(JSON.stringify(parsed)).not.toContain('canary')
  })

  test.each([
    [pair.secret, 'public one'],
    ['whpk_AAAA', '32 bytes'],
    ['plain', 'whpk_'],
  ])('%s does not verify', (text, words) => {
    expect(parseVerifyingSecret(text)).toMatchObject({ ok: false, problem: expect.stringContaining(words) })
  })
})
