import { expect, test } from 'vitest'
import { createVirtualPlatform } from './virtual-platform.ts'

test('timers run in order of their time, and each sees its own time', async () => {
  const platform = createVirtualPlatform({ startMs: 1000 })
  const seen: [string, number][] = []
  platform.after(50, () => seen.push(['late', platform.clock.now()]))
  platform.after(10, () => seen.push(['early', platform.clock.now()]))
  platform.after(10, () => seen.push(['second', platform.clock.now()]))
  await platform.advance(49)
  expect(seen).toEqual([
    ['early', 1010],
    ['second', 1010],
  ])
  await platform.advance(1)
  expect(seen.at(-1)).toEqual(['late', 1050])
})

test('what follows from a timer is done before the next one', async () => {
  const platform = createVirtualPlatform()
  const seen: string[] = []
  platform.after(1, () => {
    platform.soon(async () => {
      await Promise.resolve()
      seen.push('soon')
      platform.after(1, () => seen.push('new timer'))
    })
  })
  platform.after(3, () => seen.push('last'))
  await platform.advance(3)
  expect(seen).toEqual(['soon', 'new timer', 'last'])
})

test('a cancelled timer does not run, and one far away waits', async () => {
  const platform = createVirtualPlatform()
  const seen: string[] = []
  platform.after(5, () => seen.push('cancelled')).cancel()
  platform.after(2 ** 40, () => seen.push('far'))
  await platform.advance(2 ** 40 - 1)
  expect(seen).toEqual([])
  expect(await platform.advanceToNext()).toBe(true)
  expect(seen).toEqual(['far'])
  expect(await platform.advanceToNext()).toBe(false)
})

test('a move of the wall clock leaves monotonic time and timers alone', async () => {
  const platform = createVirtualPlatform({ startMs: 0 })
  let ran = false
  platform.after(10, () => {
    ran = true
  })
  platform.moveWallClock(-3_600_000)
  await platform.advance(10)
  expect(ran).toBe(true)
  expect(platform.clock.monotonic()).toBe(10)
  expect(platform.clock.now()).toBe(10 - 3_600_000)
})

test('one seed gives one run, another seed another', () => {
  const draw = (seed: number) => {
    const platform = createVirtualPlatform({ seed })
    return [platform.random(), platform.random(), platform.id(), platform.id()]
  }
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
  expect(new Set(draw(7)).size).toBe(4)
})

test('two movements at once follow one another', async () => {
  const platform = createVirtualPlatform()
  const seen: number[] = []
  for (const at of [5, 15]) platform.after(at, () => seen.push(platform.clock.monotonic()))
  await Promise.all([platform.advance(10), platform.advance(10)])
  expect(seen).toEqual([5, 15])
  expect(platform.clock.monotonic()).toBe(20)
})
