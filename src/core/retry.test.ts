import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RetryPolicy } from './plan.ts'
import { defaultRetry, defaultThrowAttempts, nextDelayMs, parseRetryAfter, standardWebhooksRetry } from './retry.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const still = (policy: RetryPolicy): RetryPolicy => ({ ...policy, jitter: 0 })

const policy: fc.Arbitrary<RetryPolicy> = fc.record({
  attempts: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Number.POSITIVE_INFINITY)),
  delaysMs: fc.array(fc.nat(10_000_000), { maxLength: 5 }),
  backoff: fc.record({
    baseMs: fc.nat(100_000),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    maxMs: fc.nat(10_000_000),
  }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  retryAfterMaxMs: fc.nat(100_000_000),
})
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('the retry law', () => {
  // G19
  test('a jittered delay lies within [d·(1 − jitter), d] for every policy, attempt and random number', () => {
    fc.assert(
      fc.property(policy, fc.integer({ min: 1, max: 2_000 }), random, (one, attempt, number) => {
        const full = nextDelayMs(still(one), attempt, () => 0)
        const delay = nextDelayMs(one, attempt, () => number)
        if (attempt >= one.attempts) {
          expect([full, delay]).toEqual([undefined, undefined])
          return
        }
        expect(Number.isSafeInteger(delay)).toBe(true)
        expect(delay).toBeLessThanOrEqual(full!)
        // A breath of room for what floating point loses.
        expect(delay! + 1e-6).toBeGreaterThanOrEqual(full! * (1 - one.jitter))
      }),
    )
  })
  // G19
  test('a wanted delay is a minimum, honoured up to the cap of the policy', () => {
    fc.assert(
      fc.property(policy, random, fc.nat(200_000_000), (one, number, wanted) => {
        const many = { ...one, attempts: 10 }
        const own = nextDelayMs(many, 1, () => number)!
        const expected = Math.max(own, Math.min(wanted, one.retryAfterMaxMs))
        expect(nextDelayMs(many, 1, () => number, wanted)).toBe(expected)
      }),
    )
  })
  test('a wanted delay that is no number, or negative, changes nothing', () => {
    const one = { ...still(defaultRetry) }
    expect(nextDelayMs(one, 1, () => 0, Number.NaN)).toBe(1_000)
    expect(nextDelayMs(one, 1, () => 0, -5)).toBe(1_000)
  })
  // S0-76, S2-31
  test('attempts count in total: three means two delays', () => {
    const three = { ...defaultRetry, attempts: 3 }
    expect([1, 2, 3, 4].map((attempt) => nextDelayMs(three, attempt, () => 0) !== undefined)).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
  test('a listed delay is taken in order and the last repeats', () => {
    const listed = { ...still(defaultRetry), delaysMs: [5, 50, 500] }
    expect([1, 2, 3, 4, 99].map((attempt) => nextDelayMs(listed, attempt, () => 0))).toEqual([5, 50, 500, 500, 500])
  })
  test('a backoff grows by its factor up to its limit, also after more attempts than numbers can hold', () => {
    const growing = still(defaultRetry)
    expect([0, 1, 2, 3, 9, 10, 5_000].map((attempt) => nextDelayMs(growing, attempt, () => 0))).toEqual([
      1_000,
      1_000,
      2_000,
      4_000,
      256_000,
      5 * minuteMs,
      5 * minuteMs,
    ])
    const nothing = { ...growing, backoff: { baseMs: 0, factor: 2, maxMs: 100 } }
    expect(nextDelayMs(nothing, 5_000, () => 0)).toBe(0)
  })
})

describe('the policies', () => {
  test('webhooks follow the schedule of Standard Webhooks: ten attempts, then no more', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((attempt) =>
      nextDelayMs(still(standardWebhooksRetry), attempt, () => 0),
    )
    expect(delays).toEqual([
      5_000,
      5 * minuteMs,
      30 * minuteMs,
      2 * hourMs,
      5 * hourMs,
      10 * hourMs,
      14 * hourMs,
      20 * hourMs,
      24 * hourMs,
      undefined,
    ])
    expect(standardWebhooksRetry.jitter).toBeGreaterThan(0)
  })
  test('a step that returns retry may go on for ever, one that throws has ten attempts', () => {
    expect(nextDelayMs(defaultRetry, 1_000_000, () => 0)).toBe(5 * minuteMs)
    expect(defaultThrowAttempts).toBe(10)
  })
})

describe('Retry-After', () => {
  const nowMs = Date.UTC(1994, 10, 6, 8, 49, 0)
  test.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
    ['Sun Nov  6 08:49:37 1994', 37_000],
    ['Sun, 06 Nov 1994 08:48:00 GMT', 0],
    ['Wednesday, 06-Nov-30 08:49:00 GMT', Date.UTC(2030, 10, 6, 8, 49, 0) - nowMs],
    ['Sunday, 06-Nov-44 08:49:00 GMT', Date.UTC(2044, 10, 6, 8, 49, 0) - nowMs],
  ])('reads %s', (text, expected) => {
    expect(parseRetryAfter(text, nowMs)).toBe(expected)
  })
  test('two digits of a year mean the past when the future would be more than 50 years away', () => {
    expect(parseRetryAfter('Sunday, 06-Nov-94 08:49:37 GMT', Date.UTC(2026, 0, 1))).toBe(0)
    expect(parseRetryAfter('Sunday, 06-Nov-45 08:49:37 GMT', nowMs)).toBe(0)
  })
  test.each([
    '',
    '-1',
    '1.5',
    'soon',
    'Sun, 06 Nov 1994 08:49:37 CET',
    'Sun, 06 Nox 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 32 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:49:37 GMT',
    'Sun, 06 Nov 1994 08:60:37 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
  ])('does not guess at "%s"', (text) => {
    expect(parseRetryAfter(text, nowMs)).toBeUndefined()
  })
  test('reads back every date that it can be sent', () => {
    const whole = fc.integer({ min: 0, max: 4_000_000_000 })
    fc.assert(
      fc.property(whole, whole, (at, now) => {
        expect(parseRetryAfter(new Date(at * 1_000).toUTCString(), now * 1_000)).toBe(Math.max(0, (at - now) * 1_000))
      }),
    )
  })
})
