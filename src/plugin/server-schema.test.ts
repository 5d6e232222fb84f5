import { expect, test } from 'vitest'
import { check } from './check.ts'
import { limitsPlan, limitsSchema, serverPlan, serverSchema } from './server-schema.ts'

const hash = 'a'.repeat(64)
const token = { name: 'shop', hash, scopes: ['ingest'] }

test('what is not written has its default', () => {
  expect(serverPlan()).toEqual({
    host: '127.0.0.1',
    port: 7117,
    tokens: [],
    hosts: [],
    origins: [],
    trustedProxies: [],
    mask: [],
  })
  expect(limitsPlan()).toEqual({
    bodyBytes: 2 ** 20,
    batch: 10_000,
    depth: 64,
    gzip: false,
    rate: undefined,
    connections: 10_000,
    warnBytes: 256 * 1024,
    warnOptional: 20,
  })
})

test('rates and times are read', () => {
  const limits = check(limitsSchema, { rate: '30/m' })
  expect(limits.ok && limitsPlan(limits.value).rate).toMatchObject({ perSecond: 0.5, count: 30 })
  const server = check(serverSchema, { tokens: [{ ...token, expires: '2027-01-15T08:00:00Z', rate: '5/s' }] })
  expect(server.ok && serverPlan(server.value).tokens[0]).toMatchObject({
    expiresMs: 1_800_000_000_000,
    rate: { perSecond: 5 },
  })
})

test.each([
  [{ tokens: [{ ...token, expires: 'tomorrow' }] }, /2027-01-31/],
  [{ tokens: [{ ...token, rate: '5' }] }, /unit/],
  [{ tokens: [{ ...token, hash: 'the-token-itself' }] }, /SHA-256/],
  [{ trustedProxies: ['10.0.0.0/33'] }, /10\.0\.0\.0\/8/],
  [{ trustedProxies: ['proxy.internal'] }, /10\.0\.0\.0\/8/],
  [{ origins: ['https://ops.example/path'] }, /without a path/],
  [{ origins: ['*'] }, /origin/],
])('%j is wrong, and what is right is said', (given, why) => {
  const checked = check(serverSchema, given)
  expect(checked).toMatchObject({ ok: false, issues: [{ message: expect.stringMatching(why) }] })
  expect(JSON.stringify(checked)).not.toContain('the-token-itself')
})
