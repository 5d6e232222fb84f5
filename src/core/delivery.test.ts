import { describe, expect, test } from 'vitest'
import { decide } from './delivery.ts'
import { defaultRetry } from './retry.ts'

const policy = { retry: { ...defaultRetry, attempts: 3, delaysMs: [100], jitter: 0 }, throwAttempts: 1 }
const facts = { attempt: 1, hasThrown: false, nowMs: 1000 }
const random = () => 0.5

describe('decide', () => {
  test('ack advances, discard and reject end with a reason', () => {
    expect(decide(policy, { outcome: 'ack' }, facts, random)).toEqual({ kind: 'advance' })
    expect(decide(policy, { outcome: 'discard' }, facts, random)).toEqual({ kind: 'discard', reason: 'discarded' })
    expect(decide(policy, { outcome: 'discard', reason: 'test order' }, facts, random)).toMatchObject({
      reason: 'test order',
    })
    expect(decide(policy, { outcome: 'reject' }, facts, random)).toEqual({
      kind: 'die',
      reason: 'rejected',
      disable: false,
    })
    expect(decide(policy, { outcome: 'reject', reason: 'gone', disable: true }, facts, random)).toEqual({
      kind: 'die',
      reason: 'gone',
      disable: true,
    })
  })

  test('retry waits by the policy and gives up after the last attempt', () => {
    // S0-76 G19
    expect(decide(policy, { outcome: 'retry' }, facts, random)).toEqual({ kind: 'wait', dueAt: 1100 })
    expect(decide(policy, { outcome: 'retry' }, { ...facts, attempt: 3 }, random)).toEqual({
      kind: 'die',
      reason: 'gave up after 3 attempts',
      disable: false,
    })
    expect(
      decide(
        { ...policy, retry: { ...policy.retry, attempts: 1 } },
        { outcome: 'retry', reason: 'down' },
        facts,
        random,
      ),
    ).toMatchObject({ reason: 'gave up after 1 attempt: down' })
  })

  test("a delay of its own stands instead of the policy's, shorter or longer; attempts count as ever", () => {
    for (const delayMs of [0, 20, 90_000, 3 * defaultRetry.retryAfterMaxMs]) {
      expect(decide(policy, { outcome: 'retry', delayMs }, facts, random)).toEqual({
        kind: 'wait',
        dueAt: 1000 + delayMs,
      })
    }
    for (const delayMs of [Number.NaN, -5, Number.POSITIVE_INFINITY, 1e300])
      expect(decide(policy, { outcome: 'retry', delayMs }, facts, random)).toEqual({ kind: 'wait', dueAt: 1100 })
    expect(decide(policy, { outcome: 'retry', delayMs: 20 }, { ...facts, attempt: 3 }, random)).toMatchObject({
      kind: 'die',
    })
  })

  test('what the far side asks for is a minimum', () => {
    // G19
    const due = (retryAfterMs: number) => decide(policy, { outcome: 'retry', retryAfterMs }, facts, random)
    expect(due(20)).toEqual({ kind: 'wait', dueAt: 1100 })
    expect(due(5_000)).toEqual({ kind: 'wait', dueAt: 6_000 })
    expect(due(30 * defaultRetry.retryAfterMaxMs)).toEqual({
      kind: 'wait',
      dueAt: 1000 + defaultRetry.retryAfterMaxMs,
    })
  })

  test('an outcome that does not exist is a bug and says so', () => {
    expect(() => decide(policy, { outcome: 'maybe' as 'ack' }, facts, random)).toThrow('unhandled case "maybe"')
  })

  test('a throw has its own limit', () => {
    expect(decide(policy, { outcome: 'retry', reason: 'boom' }, { ...facts, hasThrown: true }, random)).toMatchObject({
      kind: 'die',
    })
    expect(
      decide({ ...policy, throwAttempts: 10 }, { outcome: 'retry' }, { ...facts, hasThrown: true }, random),
    ).toMatchObject({ kind: 'wait' })
  })
})
