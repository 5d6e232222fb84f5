import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Pace } from './pace.ts'

test('a burst goes at once, then one per interval', () => {
  const pace = new Pace(10, 3)
  const went: number[] = []
  for (let now = 0; now < 1000; now += 10) {
    while (pace.waitMs(now) === 0) {
      pace.take(now)
      went.push(now)
    }
  }
  expect(went.slice(0, 6)).toEqual([0, 0, 0, 100, 200, 300])
})

test('the wait is exact', () => {
  const pace = new Pace(2, 1)
  pace.take(1000)
  expect(pace.waitMs(1200)).toBe(300)
  expect(pace.waitMs(1500)).toBe(0)
})

test('in no window goes more than the rate and the burst allow', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 }),
      (perSecond, burst, gaps) => {
        const pace = new Pace(perSecond, burst)
        const went: number[] = []
        let now = 0
        for (const gap of gaps) {
          now += gap
          if (pace.waitMs(now) > 0) continue
          pace.take(now)
          went.push(now)
        }
        for (let from = 0; from < went.length; from++)
          for (let to = from; to < went.length; to++)
            expect(to - from + 1).toBeLessThanOrEqual(burst + ((went[to]! - went[from]!) * perSecond) / 1000 + 1e-6)
      },
    ),
  )
})
