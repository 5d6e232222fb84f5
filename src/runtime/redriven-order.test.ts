import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import { nodePlatform } from '../plugin/platform.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, event, policy, until } from './engine-fixture.test-support.ts'

// G14 G8 S1-73
test('dead letters of one key that are put back together and fail again are each in one place', async () => {
  const store = await memory().declaration.open({}, { directory: '.', platform: nodePlatform })
  const answers: { now: Outcome | undefined } = { now: { outcome: 'reject', reason: 'no' } }
  const retry = { ...policy('x').retry, attempts: 1000, delaysMs: [1] }
  const specs = [{ policy: policy('s', { ordering: 'key', retry }), answer: async () => answers.now }]
  const { engine } = await engineWith(specs, store)
  await engine.publish([1, 2, 3].map((id) => event(id, { subject: 'k' })))
  await until(async () => (await engine.subscription('s')).counters.dead === 3)
  answers.now = { outcome: 'retry', reason: 'not yet' }
  await engine.redrive('s', { all: true })
  await engine.publish(event(4, { subject: 'k' }))
  await until(async () => (await engine.subscription('s')).counters.retries > 3)
  expect((await engine.subscription('s')).open).toBe(4)
  expect((await engine.audit()).subscriptions[0]!.problems).toEqual([])
  answers.now = undefined
  await until(async () => (await engine.subscription('s')).counters.delivered === 4)
  expect(await engine.subscription('s')).toMatchObject({ open: 0 })
  expect((await engine.audit()).subscriptions[0]!.problems).toEqual([])
  await engine.stop()
})
