import { expect, test } from 'vitest'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform, type VirtualPlatform } from '../testing/virtual-platform.ts'
import { type Answer, engineWith, event, policy } from './engine-fixture.test-support.ts'

const fairBy = { text: 'subject', groupOf: ({ subject }: { subject?: string | undefined }) => subject ?? '' }
const change = { fairBy, window: 64, concurrency: 1, maxOpen: 100_000 }

const openStore = (platform: VirtualPlatform) => memory().declaration.open({}, { directory: '.', platform })
const ofTenant = (tenant: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => event(from + i, { subject: tenant, id: `${tenant}${from + i}` }))

/** Answers after 10 ms, one at a time. */
const slowly =
  (platform: VirtualPlatform): Answer =>
  async () => {
    await new Promise<void>((resolve) => platform.after(10, resolve))
    return undefined
  }

// G18
test('one with very many events does not keep another waiting longer than its share', async () => {
  const platform = createVirtualPlatform()
  const specs = [{ policy: policy('s', change), answer: slowly(platform) }]
  const { engine, received } = await engineWith(specs, await openStore(platform), true, { platform })
  await engine.publish(ofTenant('many', 5000))
  await engine.publish(ofTenant('few', 1))
  await platform.advance(1000)
  const ids = received.get('s')!.map(({ event: { id } }) => id)
  expect(ids).toContain('few0')
  expect(ids.length).toBeLessThan(110)
  await platform.advance(60_000)
  const many = received
    .get('s')!
    .map(({ event: { id } }) => id)
    .filter((id) => id.startsWith('many'))
  expect(many).toEqual(ofTenant('many', 5000).map(({ id }) => id))
  const report = await engine.audit()
  expect(report.problems).toEqual([])
  expect(report.subscriptions[0]!.books).toMatchObject({ delivered: 5001, open: 0 })
})

test('without it, the other waits for all before it', async () => {
  const platform = createVirtualPlatform()
  const specs = [{ policy: policy('s', { ...change, fairBy: undefined }), answer: slowly(platform) }]
  const { engine, received } = await engineWith(specs, await openStore(platform), true, { platform })
  await engine.publish([...ofTenant('many', 500), ...ofTenant('few', 1)])
  await platform.advance(4000)
  expect(received.get('s')!.map(({ event: { id } }) => id)).not.toContain('few0')
})

test('failures, retries and dead letters of a group leave the others and its own order of arrival alone', async () => {
  const platform = createVirtualPlatform()
  const answer: Answer = ({ event: { id, subject }, attempt }) => {
    if (id === 'a7') return { outcome: 'reject', reason: 'no' }
    return subject === 'a' && attempt === 1 ? { outcome: 'retry', delayMs: 100 } : undefined
  }
  const specs = [{ policy: policy('s', change), answer }]
  const { engine } = await engineWith(specs, await openStore(platform), true, { platform })
  await engine.publish([...ofTenant('a', 300), ...ofTenant('b', 300)])
  await platform.advance(60_000)
  const report = await engine.audit()
  expect(report.problems).toEqual([])
  expect(report.subscriptions[0]!.books).toMatchObject({ delivered: 599, dead: 1, open: 0 })
})

function outliving(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'close') return async () => undefined
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

test('a restart goes on where it was: nothing is lost, nothing waits for ever', async () => {
  const platform = createVirtualPlatform()
  const store = outliving(await openStore(platform))
  const delivered: string[] = []
  const answer: Answer = async ({ event: { id } }) => {
    await new Promise<void>((resolve) => platform.after(10, resolve))
    delivered.push(id)
    return undefined
  }
  const specs = [{ policy: policy('s', change), answer }]
  const first = await engineWith(specs, store, true, { platform })
  await first.engine.publish([...ofTenant('a', 700), ...ofTenant('b', 30)])
  await platform.advance(500)
  const stopping = first.engine.stop()
  await platform.advance(100)
  await stopping
  const { engine } = await engineWith(specs, store, true, { platform })
  await engine.publish(ofTenant('c', 5))
  await platform.advance(20_000)
  expect(new Set(delivered).size).toBe(735)
  const report = await engine.audit()
  expect(report.problems).toEqual([])
  expect(report.subscriptions[0]!.books).toMatchObject({ delivered: 735, open: 0 })
})
