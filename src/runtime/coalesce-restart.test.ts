import { expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, event, policy, until } from './engine-fixture.test-support.ts'

// G22 G14
test('after a kill with an attempt under way and a newer event of each key, each is settled once', async () => {
  const store = await memory().declaration.open({}, { directory: '.', platform: nodePlatform })
  const keys = Array.from({ length: 20 }, (_, key) => `k${key}`)
  const p = policy('s', { coalesce: { windowMs: 1, maxWaitMs: 5 }, concurrency: 32, start: { kind: 'beginning' } })
  let begun = 0
  const never = () => {
    begun += 1
    return new Promise<undefined>(() => undefined)
  }
  const first = await engineWith([{ policy: p, answer: never }], store)
  await first.engine.publish(keys.map((subject, n) => event(n, { subject })))
  await until(() => begun === keys.length)
  await first.engine.publish(keys.map((subject, n) => event(100 + n, { subject })))
  await until(async () => (await store.rows('s', { limit: 100 })).length === 2 * keys.length)
  const { engine } = await engineWith([{ policy: p }], store)
  await until(async () => {
    const { counters } = await engine.subscription('s')
    return counters.delivered >= keys.length && counters.open === 0
  })
  expect((await engine.subscription('s')).counters).toMatchObject({ delivered: 20, superseded: 20 })
  expect((await engine.audit()).subscriptions[0]!.problems).toEqual([])
  await engine.stop()
})
