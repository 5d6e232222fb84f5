import { expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, events, policy, until } from './engine-fixture.test-support.ts'

const openMemory = () => memory().declaration.open({}, { directory: '.', platform: nodePlatform })
const never = () => new Promise<undefined>(() => undefined)

test('an event that kills the process runs alone, and is dead after its second death; the others are delivered', async () => {
  // G11 S3-22
  const store = await openMemory()
  // A call that never returns, after which the engine is abandoned, is a process that died in user code.
  const run = async (isDeadly: boolean) => {
    const seen: string[] = []
    let most = 0
    let active = 0
    const answer = async ({ event: e }: { event: { id: string } }) => {
      seen.push(e.id)
      active += 1
      most = Math.max(most, active)
      if (isDeadly && e.id === 'e5') return never()
      await new Promise((resolve) => setImmediate(resolve))
      active -= 1
      return undefined
    }
    const { engine } = await engineWith([{ policy: policy('s'), answer, runsUserCode: true }], store)
    return { engine, seen, most: () => most }
  }
  const first = await run(true)
  await first.engine.publish(events(20))
  await until(() => first.seen.includes('e5'))
  expect(first.most()).toBeGreaterThan(1)

  const second = await run(true)
  await until(() => second.seen.includes('e5'))
  expect(second.most()).toBe(1)
  const third = await run(true)
  await until(() => third.seen.includes('e5'))
  expect(third.most()).toBe(1)

  const last = await run(true)
  await until(async () => (await last.engine.subscription('s')).counters.delivered === 19)
  expect(last.seen).not.toContain('e5')
  const [dead] = await last.engine.dead('s', { limit: 10 })
  expect(dead).toMatchObject({
    sequence: 6,
    reason: 'quarantined: the process died twice while this delivery ran alone',
  })
  expect((await last.engine.audit()).ok).toBe(true)
  // Afterwards user code runs side by side again.
  await last.engine.publish(events(20, { type: 'order.changed', source: 'other' }).filter(({ id }) => id !== 'e5'))
  await until(async () => (await last.engine.subscription('s')).counters.delivered === 38)
  expect(last.most()).toBeGreaterThan(1)
  await last.engine.stop()
})

test('after a clean stop nothing is suspect', async () => {
  const store = await openMemory()
  const marks: string[] = []
  const answer = async () => undefined
  const { engine } = await engineWith([{ policy: policy('s'), answer, runsUserCode: true }], store)
  await engine.publish(events(3))
  await engine.idle()
  const close = store.close
  store.close = async () => {
    for (const record of await store.ledgers()) if (record.mark !== undefined) marks.push(record.subscription)
    await close()
  }
  await engine.stop()
  expect(marks).toEqual([])
})
