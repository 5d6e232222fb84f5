import { expect, onTestFinished, test } from 'vitest'
import type { DebounceRule } from '../core/debounce.ts'
import type { EventInput } from '../core/event.ts'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { recordingLog } from '../testing/plugin-context.ts'
import { createVirtualPlatform, type VirtualPlatform } from '../testing/virtual-platform.ts'
import { openDebounce } from './debounce.ts'
import { engineWith, policy } from './engine-fixture.test-support.ts'
import { Ingest } from './ingest.ts'
import { noCounts } from './ingest-parts.ts'
import { Services } from './supervise.ts'

const openMemory = (platform: VirtualPlatform): Promise<Store> =>
  memory().declaration.open({}, { directory: '.', platform })

const rule = (change: Partial<DebounceRule> = {}): DebounceRule => ({
  match: ['file.*'],
  strategy: 'debounce',
  windowMs: 100,
  maxWaitMs: 1000,
  ...change,
})
const changed = (id: string, more: Partial<EventInput> = {}): EventInput => ({
  source: 'files',
  id,
  type: 'file.changed',
  subject: 'a.txt',
  data: { id },
  ...more,
})

/** One life of a process on a store that outlives it. */
async function live(platform: VirtualPlatform, store: Store, rules: readonly DebounceRule[] = [rule()]) {
  const log = recordingLog()
  const services = new Services(platform, log)
  const ingest = new Ingest(store, {}, platform, { isBehind: false, wake: () => undefined })
  const counts = noCounts()
  const debounce = await openDebounce('files', rules, counts, { store, ingest, services, platform, log })
  if (debounce !== undefined) services.loop('debounce', () => debounce.run())
  const stop = () => services.stop(new Promise(() => undefined))
  onTestFinished(stop)
  await platform.settle()
  return { hold: async (...events: EventInput[]) => debounce?.hold(events), counts, log, debounce, stop }
}
const stored = async (store: Store) => await store.read(0, 1000)
const ids = async (store: Store) => (await stored(store)).map(({ id }) => id)

const begin = async () => {
  const platform = createVirtualPlatform({ startMs: 1_000_000_000_000 })
  return { platform, store: await openMemory(platform) }
}

test('ten changes of one file are stored as one event, once it is quiet', async () => {
  // S0-105 S0-106 S0-108
  const { platform, store } = await begin()
  const { hold, counts } = await live(platform, store)
  for (let n = 0; n < 10; n++) {
    expect(await hold(changed(`c${n}`, { meta: { [`from${n}`]: n } }))).toEqual(['held'])
    await platform.advance(50)
  }
  expect(await stored(store)).toEqual([])
  await platform.advance(50)
  const [event] = await stored(store)
  expect(event).toMatchObject({
    id: 'coalesced:file.changed:a.txt:1000000000',
    data: { id: 'c9' },
    meta: { from0: 0, from9: 9, coalesced: true, coalesced_count: 10, first_seen_at: '2001-09-09T01:46:40.000Z' },
  })
  expect(event!.time).toBe('2001-09-09T01:46:40.450Z')
  expect(counts.stored).toBe(1)
})

test('a steady stream is stored at maxWait, again and again', async () => {
  // S0-110
  const { platform, store } = await begin()
  const { hold } = await live(platform, store)
  for (let n = 0; n < 60; n++) {
    await hold(changed(`c${n}`))
    await platform.advance(50)
  }
  expect((await stored(store)).map(({ meta }) => meta['coalesced_count'])).toEqual([20, 20, 20])
})

test('batch stores at the end of the first window', async () => {
  // S0-105
  const { platform, store } = await begin()
  const { hold } = await live(platform, store, [rule({ strategy: 'batch' })])
  await hold(changed('c1'))
  await platform.advance(90)
  await hold(changed('c2'))
  await platform.advance(10)
  expect((await stored(store))[0]!.meta['coalesced_count']).toBe(2)
})

test('an event without a subject, of another type, with bytes, or that is not valid does not wait', async () => {
  // S0-107
  const { platform, store } = await begin()
  const { hold } = await live(platform, store)
  const bytes = { data: new Uint8Array(1), datacontenttype: 'image/png' }
  expect(
    await hold(
      changed('a', { subject: undefined }),
      changed('b', { type: 'folder.created' }),
      changed('c', bytes),
      changed('d', { subject: '' }),
      changed('e', { meta: { much: 'x'.repeat(20_000) } }),
      changed('f'),
    ),
  ).toEqual(['not', 'not', 'not', 'not', 'not', 'held'])
})

test('what was read before makes nothing new, while its group waits and after it is stored, also after a restart', async () => {
  // S0-109 S0-12
  const { platform, store } = await begin()
  const first = await live(platform, store)
  await first.hold(changed('c1'), changed('c2'))
  expect(await first.hold(changed('c1'), changed('c2'))).toEqual(['seen', 'seen'])
  await platform.advance(100)
  expect(await first.hold(changed('c1'))).toEqual(['seen'])
  await first.stop()
  const second = await live(platform, store)
  expect(await second.hold(changed('c2'), changed('c3'), changed('c3'))).toEqual(['seen', 'held', 'seen'])
  await platform.advance(100)
  expect((await stored(store)).map(({ data }) => data)).toEqual([{ id: 'c2' }, { id: 'c3' }])
})

test('what was stored before there was a rule makes nothing new', async () => {
  // S0-109
  const { platform, store } = await begin()
  const plain = await live(platform, store, [])
  expect(plain.debounce).toBeUndefined()
  await store.commit([{ events: [{ source: 'files', id: 'c1', type: 'file.changed' }] }])
  const { hold } = await live(platform, store)
  expect(await hold(changed('c1'))).toEqual(['seen'])
})

test('a group that waits survives a restart, keeps its end, and is stored at once when that has passed', async () => {
  // S0-110
  const { platform, store } = await begin()
  const first = await live(platform, store)
  await first.hold(changed('c1'))
  await platform.advance(60)
  await first.stop()
  const second = await live(platform, store)
  await second.hold(changed('c2'))
  await second.stop()
  await platform.advance(5000)
  expect(await stored(store)).toEqual([])
  await live(platform, store)
  await platform.settle()
  expect((await stored(store))[0]!.meta).toMatchObject({ coalesced_count: 2 })
})

test('a group left over from rules that are gone is stored', async () => {
  // S0-110
  const { platform, store } = await begin()
  const first = await live(platform, store)
  await first.hold(changed('c1'))
  await first.stop()
  await live(platform, store, [])
  await platform.advance(100)
  expect(await ids(store)).toEqual(['coalesced:file.changed:a.txt:1000000000'])
})

test('a clock that is set back does not make a group wait longer', async () => {
  // S0-110
  const { platform, store } = await begin()
  const { hold } = await live(platform, store)
  await hold(changed('c1'))
  platform.moveWallClock(-3_600_000)
  await platform.advance(100)
  expect(await stored(store)).toHaveLength(1)
})

test('two groups of one second have ids of their own', async () => {
  // S0-108
  const { platform, store } = await begin()
  const { hold } = await live(platform, store)
  for (let n = 0; n < 3; n++) {
    await hold(changed(`c${n}`))
    await platform.advance(100)
  }
  const id = 'coalesced:file.changed:a.txt:1000000000'
  expect(await ids(store)).toEqual([id, `${id}:2`, `${id}:3`])
})

test('a kill between the commit of an event and the end of its group makes no second event', async () => {
  // S0-108 S0-13
  const { platform, store } = await begin()
  let isKilled = false
  const dying: Store = {
    ...store,
    commit: (commits) => store.commit(commits),
    read: (...args) => store.read(...args),
    find: (...args) => store.find(...args),
    state: {
      ...store.state,
      set: (...args) => (isKilled ? Promise.reject(new Error('killed')) : store.state.set(...args)),
    },
  }
  const first = await live(platform, dying)
  await first.hold(changed('c1'), changed('c2'))
  isKilled = true
  await platform.advance(100)
  expect(await stored(store)).toHaveLength(1)
  await first.stop()
  const second = await live(platform, store)
  await platform.advance(1000)
  expect(await stored(store)).toHaveLength(1)
  expect(second.counts).toMatchObject({ duplicate: 1, stored: 0, conflict: 0 })
})

test('more groups than are kept are stored at once and not lost', async () => {
  // S0-105
  const { platform, store } = await begin()
  const { hold } = await live(platform, store)
  const many = Array.from({ length: 10_001 }, (_, n) => changed(`c${n}`, { subject: `s${n}` }))
  const answers = await hold(...many)
  expect(answers!.filter((answer) => answer === 'held')).toHaveLength(10_000)
  expect(answers!.at(-1)).toBe('not')
})

test('in a pipeline the cursor moves, the source is told, and one event comes out', async () => {
  // S0-105 S0-109
  const platform = createVirtualPlatform()
  const store = await openMemory(platform)
  const told: unknown[] = []
  const { engine, received } = await engineWith([{ policy: policy('s') }], store, true, {
    platform,
    sources: [
      {
        name: 'files',
        isPassive: false,
        debounce: [rule()],
        create: () => ({
          async *read() {
            const events = [changed('c1'), changed('c2'), changed('c1'), changed('x', { type: 'folder.created' })]
            yield { events, cursor: 'moved', settled: (results) => void told.push(...results) }
          },
        }),
      },
    ],
  })
  await platform.advance(50)
  expect(await store.cursor('files')).toBe('moved')
  expect(told).toMatchObject([
    { id: 'c1', status: 'stored', sequence: 0 },
    { id: 'c2', status: 'stored', sequence: 0 },
    { id: 'c1', status: 'duplicate' },
    { id: 'x', status: 'stored', sequence: 1 },
  ])
  await platform.advance(100)
  expect(received.get('s')!.map(({ event }) => event.type)).toEqual(['folder.created', 'file.changed'])
  expect(engine.stats().sources['files']).toMatchObject({ stored: 2, duplicate: 1 })
  const stopping = engine.stop()
  await platform.advance(100)
  await stopping
})
