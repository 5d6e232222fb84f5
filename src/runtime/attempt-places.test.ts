import { expect, test } from 'vitest'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { engineWith, event, policy } from './engine-fixture.test-support.ts'

// G18
test('subscriptions whose far side is slow hold no more than their share; the others find places at once', async () => {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  const active = new Map<string, number>()
  const slow = (name: string) => async () => {
    active.set(name, (active.get(name) ?? 0) + 1)
    await new Promise<void>((resolve) => platform.after(29_000, resolve))
    active.set(name, active.get(name)! - 1)
    return undefined
  }
  const sick = Array.from({ length: 12 }, (_, i) => `sick${i}`)
  const specs = [
    ...sick.map((name) => ({
      policy: policy(name, { match: ['a.*'], concurrency: 16, timeoutMs: 1e9 }),
      answer: slow(name),
    })),
    { policy: policy('well', { match: ['b.*'], concurrency: 16 }) },
  ]
  const { engine, received } = await engineWith(specs, store, true, { platform, attempts: 40 })
  await engine.publish(Array.from({ length: 60 }, (_, i) => event(i, { type: 'a.b' })))
  await platform.advance(100)
  const held = [...active.values()]
  expect(held.length).toBe(12)
  expect(held.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(36)
  for (let i = 0; i < 20; i++) {
    await engine.publish(event(1000 + i, { type: 'b.c' }))
    await platform.advance(50)
    expect(received.get('well')!.length).toBe(i + 1)
  }
  await platform.advance(60 * 12 * 29_000)
  expect(received.get('sick3')!.length).toBe(60)
  expect((await engine.audit()).problems).toEqual([])
})

test('an idle pipeline gives one subscription its whole concurrency, however wide', async () => {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  let active = 0
  const answer = async () => {
    active += 1
    await new Promise<void>((resolve) => platform.after(1000, resolve))
    return undefined
  }
  const wide = policy('wide', { concurrency: 300, window: 2000, timeoutMs: 1e9 })
  const { engine } = await engineWith([{ policy: wide, answer }], store, true, { platform })
  await engine.publish(Array.from({ length: 400 }, (_, i) => event(i)))
  await platform.advance(500)
  expect(active).toBe(300)
})
