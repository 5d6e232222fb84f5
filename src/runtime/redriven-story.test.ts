import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { engineWith, event, policy } from './engine-fixture.test-support.ts'

// G33 K18
test.each([
  ['in the same millisecond', 0],
  ['after the clock was put back', -3_600_000],
])('a dead letter that was put back and delivered %s is explained as delivered', async (_, movedMs) => {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  const answers: { now: Outcome | undefined } = { now: { outcome: 'reject', reason: 'no' } }
  const { engine } = await engineWith([{ policy: policy('s'), answer: async () => answers.now }], store, true, {
    platform,
  })
  // Others in its ledger commit: the row of the history spans more than the one that follows.
  await engine.publish([event(1), event(2), event(3)])
  await platform.advance(movedMs === 0 ? 0 : 1000)
  answers.now = undefined
  platform.moveWallClock(movedMs)
  const redriven = engine.redrive('s', { sequences: [1] })
  await platform.advance(200)
  await redriven
  await platform.advance(1000)
  expect((await engine.subscription('s')).counters).toMatchObject({ delivered: 1, dead: 2 })
  expect((await engine.explain(1))!.deliveries[0]).toMatchObject({ state: 'delivered' })
  expect((await engine.explain(2))!.deliveries[0]).toMatchObject({ state: 'dead', reason: 'no' })
  const stopping = engine.stop()
  await platform.advance(1000)
  await stopping
})
