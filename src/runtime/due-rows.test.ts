import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { DueRows } from './due-rows.ts'
import { engineWith, events, policy, until } from './engine-fixture.test-support.ts'
import type { Lane } from './lane.ts'

/** The memory store with answers that come some turns late, as those of a store behind a thread or a network do. */
async function lateStore(turns: () => number): Promise<Store> {
  const store = await memory().declaration.open({}, { directory: '.', platform: nodePlatform })
  const late = async <T>(answer: Promise<T>): Promise<T> => {
    for (let i = turns(); i > 0; i--) await new Promise((resolve) => setImmediate(resolve))
    return answer
  }
  const { commit, rows, readMany } = store
  store.commit = (commits) => late(commit(commits))
  store.rows = (name, query) => late(rows(name, query))
  store.readMany = (sequences) => late(readMany(sequences))
  return store
}

test('however late the store answers, no waiting delivery is forgotten when more are due than memory holds', async () => {
  // S0-17 G14 S1-72
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(12), { minLength: 5, maxLength: 40 }),
      fc.integer({ min: 1, max: 64 }),
      async (delays, concurrency) => {
        let at = 0
        const store = await lateStore(() => delays[at++ % delays.length]!)
        const failed = new Set<string>()
        const answer = async ({ event: { id } }: { event: { id: string } }) => {
          if (at % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
          if (failed.has(id)) return undefined
          failed.add(id)
          return { outcome: 'retry' as const }
        }
        const retry = { ...policy('x').retry, delaysMs: [30] }
        const { engine } = await engineWith(
          [{ policy: policy('s', { concurrency, retry, window: 2000 }), answer }],
          store,
        )
        await engine.publish(events(700))
        await until(async () => (await engine.subscription('s')).counters.delivered === 700)
        expect((await engine.audit()).subscriptions[0]!.problems).toEqual([])
        await engine.stop()
      },
    ),
    { numRuns: 12 },
  )
}, 60_000)

// G9
test('a row that has gone on since a step read it is not woken: what was read of it would take it back', async () => {
  const row = { sequence: 1, state: 'waiting', dueAt: 9e15, done: [], attempt: 0, deaths: 0, attempts: [] }
  const put: unknown[] = []
  const lane = {
    name: 's',
    isRunning: false,
    ledger: { putRow: ({ sequence }: { sequence: number }) => put.push(sequence) },
    around: {
      platform: nodePlatform,
      settler: () => ({ flush: async () => undefined, touch: () => undefined }),
      store: { rows: async () => [row] },
    },
  } as unknown as Lane
  const due = new DueRows(lane)
  const asleep = await due.findAsleep([1])
  due.forget(1)
  due.wake(asleep)
  expect(put).toEqual([])
  due.wake(await due.findAsleep([1]))
  expect(put).toEqual([1])
})
