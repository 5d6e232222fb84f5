import { describe, expect, test } from 'vitest'
import type { EventRecord } from '../../src/core/event.ts'
import type { Platform } from '../../src/core/platform.ts'
import type { Sink } from '../../src/plugin/sink.ts'
import type { Source } from '../../src/plugin/source.ts'
import type { Commit, Store } from '../../src/plugin/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { runStoreCase, type StoreUnderTest, sinkCases, sourceCases, storeCases } from '../../src/testing/index.ts'

const openMemory = (platform: Platform) => memory.declaration.open({}, { directory: '.', platform })

/** A memory store of which one thing is wrong. */
const broken = (breaking: (store: Store) => Partial<Store>): StoreUnderTest => ({
  async open(platform) {
    const store = await openMemory(platform)
    const parts = breaking(store)
    return { ...store, ...parts }
  },
})

async function failing(under: StoreUnderTest, behaviour: string): Promise<string[]> {
  const failures: string[] = []
  for (const storeCase of storeCases[behaviour]!.filter(({ needs }) => needs === undefined)) {
    await runStoreCase(storeCase, under).catch(() => failures.push(storeCase.promise))
  }
  return failures
}

const eachCommit = (store: Store, change: (commit: Commit) => Commit) => ({
  commit: (commits: readonly Commit[]) => store.commit(commits.map(change)),
})
let count = 0
const renamed = (record: EventRecord) => ({ ...record, id: `${record.id}-${++count}` })

const brokenStores: readonly (readonly [name: string, behaviour: string, under: StoreUnderTest])[] = [
  [
    'forgets what it has seen',
    'deduplication',
    broken((store) => eachCommit(store, (commit) => ({ ...commit, events: commit.events?.map(renamed) }))),
  ],
  ['loses the cursor', 'commit atomicity', broken((store) => eachCommit(store, ({ cursor: _, ...rest }) => rest))],
  ['ignores the expected version', 'streams', broken((store) => eachCommit(store, ({ expect: _, ...rest }) => rest))],
  [
    'rounds numbers',
    'payloads',
    broken((store) =>
      eachCommit(store, (commit) => ({
        ...commit,
        events: commit.events?.map((record) =>
          typeof record.data === 'string' ? { ...record, data: JSON.stringify(JSON.parse(record.data)) } : record,
        ),
      })),
    ),
  ],
  [
    'never fences',
    'ledgers',
    broken((store) => {
      let now = 0
      return {
        openLedger: async (...args) => {
          const opened = await store.openLedger(...args)
          now = opened.epoch
          return opened
        },
        commit: (commits) =>
          store.commit(
            commits.map((commit) => ({
              ...commit,
              ledgers: commit.ledgers?.map((change) => ({ ...change, epoch: now })),
            })),
          ),
      }
    }),
  ],
  [
    'gives due rows by sequence',
    'rows and due times',
    broken((store) => ({
      rows: async (name, query) => [...(await store.rows(name, query))].sort((a, b) => a.sequence - b.sequence),
    })),
  ],
  [
    'prunes one too many',
    'pruning',
    broken((store) => ({
      prune: (what) => store.prune({ ...what, events: what.events === undefined ? undefined : what.events + 1 }),
    })),
  ],
  [
    'never pages',
    'search',
    broken((store) => ({ query: async (query) => ({ events: (await store.query(query)).events }) })),
  ],
  ['loses the counts of pruned history', 'history', broken(() => ({ historyBase: async () => ({}) }))],
  [
    'wakes nobody',
    'reading',
    broken((store) => ({
      wait: async (after, signal) => {
        while (store.head() <= after && !signal.aborted) await new Promise((resolve) => setImmediate(resolve))
        throw new Error('lost')
      },
    })),
  ],
]

describe('the suite notices a store that', () => {
  test.each(brokenStores)('%s', async (_, behaviour, under) => {
    expect(await failing(under, behaviour)).not.toEqual([])
  })
})

async function brokenPromises<T>(
  cases: readonly { promise: string; run(under: T): Promise<void> }[],
  under: T,
): Promise<string[]> {
  const failures: string[] = []
  for (const one of cases) await one.run(under).catch(() => failures.push(one.promise))
  return failures
}

describe('the suite notices a sink that', () => {
  const withoutNeeds = sinkCases.filter(({ needs }) => needs === undefined)
  const noticed = (sink: Sink) => brokenPromises(withoutNeeds, { create: () => sink, batch: 2 })
  test('answers too few outcomes', async () => {
    expect(await noticed({ deliver: () => [{ outcome: 'ack' }] })).toEqual([
      'a sink takes as many deliveries at once as it declares',
    ])
  })
  test('throws when it is closed twice', async () => {
    const make = (): Sink => {
      let closed = false
      return {
        deliver: () => undefined,
        close() {
          if (closed) throw new Error('closed')
          closed = true
        },
      }
    }
    expect(await brokenPromises(withoutNeeds, { create: make })).toEqual([
      'a sink can be closed without a delivery, and twice',
    ])
  })
  test('cannot send bytes', async () => {
    const sink: Sink = {
      deliver: (all) => {
        for (const { event } of all) if (event.data instanceof Uint8Array) throw new Error('bytes')
      },
    }
    expect(await noticed(sink)).toEqual(['a sink delivers an event with bytes'])
  })
  test('acknowledges what was aborted', async () => {
    const silent = sinkCases.filter(({ needs }) => needs?.includes('createSilent'))
    const sink: Sink = {
      deliver: (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined))),
    }
    expect(await brokenPromises(silent, { create: () => sink, createSilent: () => sink })).toHaveLength(1)
  })
})

describe('the suite notices a source that', () => {
  const noticed = (read: Source['read']) => brokenPromises(sourceCases, { create: () => ({ read }), events: 2 })
  test('gives other ids for the same', async () => {
    let next = 0
    const failures = await noticed(async function* () {
      for (const cursor of ['1', '2']) yield { events: [{ id: String(++next), type: 't' }], cursor }
    })
    expect(failures).toEqual(['a source that reads the same again gives the same ids'])
  })
  test('ignores its cursor', async () => {
    const failures = await noticed(async function* () {
      for (const cursor of ['1', '2']) yield { events: [{ id: cursor, type: 't' }], cursor }
    })
    expect(failures).toEqual(['a source that goes on from its cursor does not give what was committed'])
  })
  test('yields what cannot be stored', async () => {
    const failures = await noticed(async function* (cursor) {
      for (const id of ['1', '2']) if (id > (cursor ?? '')) yield { events: [{ id, type: 'not a type' }], cursor: id }
    })
    expect(failures).toEqual(['a source yields events that can be stored as they are'])
  })
})
