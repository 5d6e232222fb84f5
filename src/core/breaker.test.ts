import { expect, test } from 'vitest'
import { Breaker } from './breaker.ts'

const policy = { failures: 3, openMs: 1000, disableAfterMs: 10_000 }

function opened(concurrency = 8): Breaker {
  const breaker = new Breaker(policy, concurrency)
  expect([breaker.fail(0), breaker.fail(0), breaker.fail(0)]).toEqual([undefined, undefined, 'opened'])
  return breaker
}

test('only failures in a row open it', () => {
  const breaker = new Breaker(policy, 8)
  breaker.fail(0)
  breaker.fail(0)
  expect(breaker.succeed()).toBeUndefined()
  expect(breaker.fail(0)).toBeUndefined()
  expect([breaker.state(0), breaker.isClosed, breaker.limit(0), breaker.failures]).toEqual(['closed', true, 8, 1])
})

// G18
test('open, it lets nothing through until its time, then one at a time', () => {
  const breaker = opened()
  expect([breaker.state(999), breaker.isClosed, breaker.limit(999), breaker.waitMs(400)]).toEqual([
    'open',
    false,
    0,
    600,
  ])
  expect([breaker.state(1000), breaker.limit(1000), breaker.waitMs(1000)]).toEqual(['half-open', 1, 0])
})

test('failures of attempts that were under way when it opened change nothing', () => {
  const breaker = opened()
  expect(breaker.fail(500)).toBeUndefined()
  expect(breaker.waitMs(500)).toBe(500)
})

test('a failed trial opens it again for the whole time', () => {
  const breaker = opened()
  expect(breaker.fail(1000)).toBe('opened')
  expect(breaker.waitMs(1000)).toBe(1000)
})

test('after an outage the number of attempts doubles with each success', () => {
  const breaker = opened()
  expect(breaker.succeed()).toBe('closed')
  const limits = [breaker.limit(1000)]
  for (let i = 0; i < 4; i++) {
    expect(breaker.succeed()).toBeUndefined()
    limits.push(breaker.limit(1000))
  }
  expect(limits).toEqual([1, 2, 4, 8, 8])
})

test('however many attempts that doubles to, there are never more than the full concurrency', () => {
  const breaker = opened(6)
  for (let i = 0; i < 4; i++) breaker.succeed()
  expect(breaker.limit(1000)).toBe(6)
})

test('without a success for long enough it asks to disable, also over a restart', () => {
  const breaker = opened()
  expect(breaker.fail(9_999)).toBe('opened')
  expect(new Breaker(policy, 8, breaker.failingSince).fail(10_000)).toBe('disable')
  expect(new Breaker({ ...policy, disableAfterMs: undefined }, 8, 0).fail(1e12)).toBeUndefined()
})

test('a clock that is set back does not keep it open longer', () => {
  expect(opened().waitMs(-50_000)).toBe(1000)
})

test.each(['open', 'closed again'])('a reset of one that is %s starts afresh', (state) => {
  const breaker = opened()
  if (state !== 'open') breaker.succeed()
  breaker.reset()
  expect([breaker.state(0), breaker.limit(0), breaker.failures, breaker.failingSince, breaker.waitMs(0)]).toEqual([
    'closed',
    8,
    0,
    undefined,
    0,
  ])
})
