import { expect, onTestFinished, test } from 'vitest'
import { AppError } from '../../core/errors.ts'
import { nodePlatform } from '../../plugin/platform.ts'
import type { Store } from '../../plugin/store.ts'
import { memory } from '../../stores/memory.ts'
import { createVirtualPlatform } from '../../testing/virtual-platform.ts'
import { engineWith, events, policy, until } from '../engine-fixture.test-support.ts'

const batches = { leaseMs: 30_000, limit: 100, maxWaitMs: 60_000 }
const unlimited = { ...policy('work').retry, attempts: Number.POSITIVE_INFINITY }
const change = { start: { kind: 'beginning' }, window: 20_000, maxOpen: 100_000, retry: unlimited } as const

/** A memory store that outlives its pipelines; `wrap` puts something of its own before it. */
async function keptStore(wrap: (store: Store) => Partial<Store> = () => ({}), platform = nodePlatform): Promise<Store> {
  const store = await memory.declaration.open({}, { directory: '.', platform } as never)
  return { ...store, close: async () => undefined, ...wrap(store) }
}

test('confirms that come together share a commit', async () => {
  let commits = 0
  const store = await keptStore((inner) => ({
    commit: async (list) => {
      commits += 1
      await new Promise((resolve) => setTimeout(resolve, 2))
      return inner.commit(list)
    },
  }))
  const { engine } = await engineWith([{ policy: policy('work', change), batches }], store)
  onTestFinished(() => engine.stop())
  await engine.publish(events(1000))
  const calls = engine.batches('work')
  const fetched = await Promise.all(Array.from({ length: 100 }, () => calls.fetchBatch({ limit: 10 })))
  expect(commits).toBeLessThan(10)
  commits = 0
  const answers = await Promise.all(fetched.map((each) => calls.confirm(each!.batch, each!)))
  expect(answers.reduce((sum, { confirmed }) => sum + confirmed, 0)).toBe(1000)
  expect(commits).toBeLessThan(6)
  expect((await engine.audit()).ok).toBe(true)
})

test('an answer whose commit cannot be made says that it is not known, and the same call again is answered when it is there', async () => {
  // G3 G23
  const platform = createVirtualPlatform()
  let isBroken = false
  const store = await keptStore(
    (inner) => ({
      commit: async (list) => {
        if (isBroken) throw new AppError('store-full', 'the disk is full')
        return inner.commit(list)
      },
    }),
    platform,
  )
  const { engine } = await engineWith([{ policy: policy('work', change), batches }], store, true, { platform })
  await engine.publish(events(1))
  const calls = engine.batches('work')
  let batch: Awaited<ReturnType<typeof calls.fetchBatch>>
  const fetching = calls.fetchBatch({ waitMs: 1000 }).then((fetched) => {
    batch = fetched
  })
  await platform.advance(500)
  await fetching
  isBroken = true
  const code = calls.confirm(batch!.batch, batch!).then(
    () => 'done',
    (error: unknown) => (error as AppError).code,
  )
  await platform.advance(10_000)
  expect(await code).toBe('store-indeterminate')
  isBroken = false
  const again = calls.confirm(batch!.batch, batch!)
  await platform.advance(10_000)
  expect(await again).toEqual({ confirmed: 0 })
  const stopping = engine.stop({ deadline: '1ms' })
  await platform.advance(5000)
  await stopping
})

test('what clients had is delivered when the sink sends by itself from now on, and the other way round', async () => {
  // S1-73 G14
  const store = await keptStore()
  const first = await engineWith([{ policy: policy('work', change), batches }], store)
  await first.engine.publish(events(6))
  const calls = first.engine.batches('work')
  const had = (await calls.fetchBatch({ limit: 2 }))!
  const dead = (await calls.fetchBatch({ limit: 1 }))!
  await calls.release(dead.batch, dead)
  await first.engine.stop()

  const second = await engineWith(
    [
      {
        policy: policy('work', { ...change, retry: { ...unlimited, delaysMs: [60_000] } }),
        answer: ({ event: { id } }) => (id === 'e5' ? { outcome: 'retry' } : undefined),
      },
    ],
    store,
  )
  await second.engine.idle()
  expect(
    second.received
      .get('work')!
      .map(({ event: { id } }) => id)
      .sort(),
  ).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'e5'])
  expect(await store.batches('work')).toEqual([])
  expect((await second.engine.audit()).subscriptions[0]).toMatchObject({ ok: true, books: { delivered: 5, open: 1 } })
  await second.engine.stop()

  const third = await engineWith([{ policy: policy('work', change), batches }], store)
  onTestFinished(() => third.engine.stop())
  expect(await third.engine.batches('work').fetchBatch()).toBeUndefined()
  await expect(third.engine.batches('work').confirm(had.batch, had)).rejects.toMatchObject({ code: 'batch-unknown' })
  expect((await third.engine.subscription('work')).open).toBe(1)
})

test('an event that forced retention has removed is lost when it would be offered, and the others come', async () => {
  // G29
  const store = await keptStore()
  const { engine } = await engineWith([{ policy: policy('work', change), batches }], store)
  onTestFinished(() => engine.stop())
  await engine.publish(events(4))
  await engine.idle()
  await store.prune({ events: 2 })
  expect((await engine.batches('work').fetchBatch({ limit: 2 }))!.events.map(({ id }) => id)).toEqual(['e2', 'e3'])
  await until(async () => (await engine.audit()).subscriptions[0]!.books['lost'] === 2)
  expect((await engine.audit()).subscriptions[0]).toMatchObject({ ok: true, books: { lost: 2, open: 2 } })
})

test('other subscriptions are not fetched from, and unknown ones are named', async () => {
  const { engine } = await engineWith([{ policy: policy('mail') }], await keptStore())
  onTestFinished(() => engine.stop())
  const codeOf = (name: string): unknown => {
    try {
      return engine.batches(name)
    } catch (error) {
      return (error as AppError).code
    }
  }
  expect([codeOf('mail'), codeOf('nobody')]).toEqual(['state-conflict', 'subscription-unknown'])
})
