import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type LedgerState, noCounters } from '../../core/ledger-state.ts'
import { sqlite } from '../sqlite.ts'
import { append, events, openIn, temporaryFolder } from './fixture.ts'

const small = { recentKeys: 256, fanIn: 2 }
const ledger: LedgerState = {
  start: 0,
  examined: 0,
  follows: true,
  pending: [],
  counters: noCounters,
  state: 'running',
}

// S0-09: uniqueness is met by writer, lock and index together.
test('of many concurrent writers of the same events exactly one stores each', async () => {
  const store = await openIn(temporaryFolder(), { dedup: small })
  const all = events(2000)
  const writers = Array.from({ length: 16 }, async (_, writer) => {
    const statuses = new Map<string, string>()
    for (let at = 0; at < all.length; at += 1 + ((writer * 7) % 50)) {
      const batch = all.slice(at, at + 1 + ((writer * 7) % 50))
      const results = await append(store, batch)
      for (const [index, { status, sequence }] of results.entries())
        statuses.set(batch[index]?.id ?? '', `${status} ${sequence}`)
    }
    return statuses
  })
  const answers = await Promise.all(writers)
  expect(store.head()).toBe(2000)
  for (const { id } of all) {
    const told = answers.map((statuses) => statuses.get(id) ?? '')
    expect(told.filter((status) => status.startsWith('stored'))).toHaveLength(1)
    expect(new Set(told.map((status) => status.split(' ')[1])).size).toBe(1)
  }
  expect(new Set((await store.read(0, 5000)).map((event) => event.id)).size).toBe(2000)
})

// S0-10, S0-13, S0-116
test('duplicates are recognised after a restart, after sealing and after retention removed the row', async () => {
  const folder = temporaryFolder()
  const first = await openIn(folder, { dedup: small })
  for (let from = 1; from <= 3000; from += 100) await append(first, events(100, from))
  await first.prune({ events: 1500 })
  await first.close()
  const second = await openIn(folder, { dedup: small })
  expect(second.oldest()).toBe(1501)
  for (let from = 1; from <= 3000; from += 500) {
    const results = await append(second, events(500, from))
    expect(results.map((result) => result.sequence)).toEqual(Array.from({ length: 500 }, (_, index) => from + index))
    expect(results.every((result) => result.status === 'duplicate')).toBe(true)
  }
  expect(await second.find('shop', 'id-7')).toBe(7)
  expect(await second.verify()).toMatchObject({ ok: true, events: 1500 })
})

// G7: never reused, also after everything was removed and the process is another.
test('sequences go on after everything was pruned', async () => {
  const folder = temporaryFolder()
  const first = await openIn(folder)
  await append(first, events(10))
  await first.prune({ events: 10, dedupBeforeMs: Date.now() + 60_000 })
  await first.close()
  const second = await openIn(folder)
  expect([second.head(), second.oldest()]).toEqual([10, 11])
  expect((await append(second, events(1)))[0]).toEqual({ status: 'stored', sequence: 11 })
})

test('a store opened read-only beside its owner sees what is committed and refuses to write', async () => {
  const folder = temporaryFolder()
  const owner = await openIn(folder)
  await append(owner, events(3))
  const reader = await openIn(folder, { readOnly: true })
  expect(reader.incarnation).toBe(owner.incarnation)
  expect((await reader.read(0, 10)).map((event) => event.id)).toEqual(['id-1', 'id-2', 'id-3'])
  const grown = reader.wait(3, new AbortController().signal)
  await append(owner, events(1, 4))
  await grown
  expect(reader.head()).toBe(4)
  await expect(reader.commit([{ events: events(1, 5) }])).rejects.toMatchObject({ code: 'store-readonly' })
})

// S1-42, G1
test.each(['disk', 'process'] as const)('durability %s is what an answer says', async (durability) => {
  const store = await openIn(temporaryFolder(), { durability })
  expect(store.durability).toBe(durability)
  expect((await store.commit([{ events: events(1) }]))[0]).toMatchObject({ durability })
})

// S1-09
test.each([':memory', ':memory:'])('%s is refused with the name of the memory store', async (path) => {
  await expect(openIn(temporaryFolder(), { path })).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining('memory store'),
  })
})

test('what was appended long ago is read from disk as it was from memory', async () => {
  const folder = temporaryFolder()
  const first = await openIn(folder)
  const odd = [
    {
      source: 'ü',
      id: '\ud83d\ude00',
      type: 'a.b',
      subject: '',
      time: '2026-01-01T00:00:00Z',
      data: '"\\u0000"',
      meta: '{"k":1}',
    },
    {
      source: 's',
      id: 'bytes',
      type: 'a.b',
      data: new Uint8Array([0, 255, 1]),
      datacontenttype: 'application/octet-stream',
      dataschema: 'https://x',
    },
    { source: 's', id: 'empty', type: 'a.b', data: new Uint8Array(0), datacontenttype: 'x/y' },
    { source: 's', id: 'nothing', type: 'a.b' },
    { source: 's\ud800', id: 'lone', type: 'a.b' },
  ]
  await append(first, odd)
  const fromMemory = (await first.read(0, 10)).map((event) => event.record)
  await first.close()
  const second = await openIn(folder)
  expect((await second.read(0, 10)).map((event) => event.record)).toEqual(fromMemory)
  expect((await append(second, odd)).map(({ status }) => status)).toEqual(odd.map(() => 'duplicate'))
})

test('the definition makes a store from options of a configuration file', async () => {
  const folder = temporaryFolder()
  const { declaration } = sqlite({ path: join(folder, 'events.db') })
  const options = declaration.options.parse({ path: join(folder, 'events.db'), cacheSize: '8MiB' })
  const platform = { clock: { now: () => 5, monotonic: () => 0 } }
  const store = await declaration.open(options, { directory: folder, platform } as Parameters<
    typeof declaration.open
  >[1])
  await append(store, events(1))
  expect((await store.read(0, 1))[0]?.record.appendedAt).toBe(5)
  await store.close()
})

// S0-14: what one caller hands in is no neighbour's problem.
test('a commit that cannot be written fails alone', async () => {
  const store = await openIn(temporaryFolder())
  const { epoch } = await store.openLedger('crm', 0, 'me', ledger)
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  const attempt = { at: 1, durationMs: 1, step: 'sink', outcome: 'retry', detail: circular } as const
  const row = { sequence: 1, state: 'waiting', dueAt: 1, done: [], attempt: 1, deaths: 0, attempts: [attempt] } as const
  const outcomes = await Promise.allSettled([
    append(store, events(1)),
    store.commit([{ events: events(1, 50), ledgers: [{ subscription: 'crm', partition: 0, epoch, put: [row] }] }]),
    store.commit([{ events: events(1, 60), cursor: { source: 's', value: {} as string } }]),
    append(store, events(1, 2)),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  expect((await store.read(0, 10)).map((event) => event.id)).toEqual(['id-1', 'id-2'])
})

// S0-16
test('a backup taken while events come in is whole, and opening it makes a new incarnation', async () => {
  const folder = temporaryFolder()
  const store = await openIn(folder, { dedup: small })
  await append(store, events(5000))
  let isDone = false
  const writing = (async () => {
    for (let from = 5001; !isDone; from += 10) await append(store, events(10, from))
  })()
  await store.backup('copy.db')
  isDone = true
  await writing
  const copy = await openIn(folder, { path: 'copy.db', dedup: small })
  expect(copy.head()).toBeGreaterThanOrEqual(5000)
  expect(copy.head() % 10).toBe(0)
  expect(copy.incarnation).not.toBe(store.incarnation)
  expect(await copy.verify()).toMatchObject({ ok: true, problems: [], events: copy.head() })
  expect((await append(copy, events(1)))[0]?.status).toBe('duplicate')
  await expect(store.backup('copy.db')).rejects.toMatchObject({ code: 'state-conflict' })
})
