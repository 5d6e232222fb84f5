import { expect, test } from 'vitest'
import type { AppError } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import type { Store } from '../plugin/store.ts'
import { clientOf, sequenceOf, viewOf } from './view-fixture.test-support.ts'

const many = (count: number, type = 'order.placed'): string[] => Array.from({ length: count }, () => type)

// S0-27
test('a client that connects is told so and sees what is appended from then on, as CloudEvents', async () => {
  const { view, append, id } = await viewOf()
  await append(many(3))
  const client = clientOf(view)
  await append(['order.placed'], { data: '{"total":7}' })
  const [info, event, ...rest] = client.frames()
  expect(info).toEqual({ id: id(3), event: 'info', data: 'connected' })
  expect(event).toMatchObject({ id: id(4), event: 'order.placed' })
  expect(JSON.parse(event!.data)).toMatchObject({
    specversion: '1.0',
    source: 'shop',
    type: 'order.placed',
    data: { total: 7 },
    sequence: '4',
    recordedtime: '2026-01-01T00:00:00.000Z',
  })
  expect(rest).toEqual([])
})

// G24
test('a client that comes back with an id is sent everything after it, once and in order', async () => {
  const { view, append, id } = await viewOf()
  await append(many(5000))
  const client = clientOf(view, { after: id(1234) })
  const bare = clientOf(view, { after: '0' })
  await append(many(3))
  expect(client.events().map(sequenceOf)).toEqual(Array.from({ length: 3769 }, (_, i) => 1235 + i))
  expect(bare.events().map(sequenceOf)).toEqual(Array.from({ length: 5003 }, (_, i) => 1 + i))
})

test('only what the subscription matches is shown, by type and source', async () => {
  const { view, append } = await viewOf({ match: ['order.*'], from: ['shop'] })
  const client = clientOf(view)
  await append(['order.placed', 'stock.low', 'order.paid'])
  await append(['order.placed'], { source: 'crm' })
  expect(client.events().map(({ event }) => event)).toEqual(['order.placed', 'order.paid'])
})

test('a condition chooses among what matches, and a payload says what is sent of it', async () => {
  const where = { text: '', test: (event: Event) => (event.data as { n: number }).n > 1, explain: () => '' }
  const { view, append, id } = await viewOf({ where, payload: { kind: 'template', template: { n: '#root.data.n' } } })
  const client = clientOf(view)
  for (const n of [1, 2, 3]) await append(['x'], { data: `{"n":${n}}` })
  expect(client.events()).toEqual([
    { id: id(2), event: 'x', data: '{"n":2}' },
    { id: id(3), event: 'x', data: '{"n":3}' },
  ])
})

// S0-71
test('types of a request narrow what is shown and never widen it', async () => {
  const { view, append } = await viewOf({ match: ['order.*'] })
  const paid = clientOf(view, { types: ['order.paid', 'stock.low'] })
  const again = clientOf(view, { types: ['stock.low', 'order.paid', 'order.paid'] })
  const everything = clientOf(view, { types: ['*'] })
  const none = clientOf(view, { types: ['stock.*'] })
  await append(['order.placed', 'stock.low', 'order.paid', 'order.placed', 'order.paid'], { data: '"é"' })
  for (const client of [paid, again])
    expect(client.events().map((frame) => [frame.event, sequenceOf(frame)])).toEqual([
      ['order.paid', 3],
      ['order.paid', 5],
    ])
  expect(everything.events()).toHaveLength(4)
  expect(none.events()).toEqual([])
})

// S0-86
test('what retention removed is told as a gap, and the stream goes on from the oldest kept', async () => {
  const { view, store, append, id } = await viewOf()
  await append(many(10))
  await store.prune({ events: 6 })
  const client = clientOf(view, { after: id(2) })
  await append(many(1))
  const [info, gap, ...events] = client.frames()
  expect(info).toEqual({ id: undefined, event: 'info', data: 'connected' })
  expect(gap).toEqual({ id: id(6), event: 'gap', data: '{"reason":"retention","from":2,"oldest":7}' })
  expect(events.map(sequenceOf)).toEqual([7, 8, 9, 10, 11])
  expect(view.counters.gaps).toBe(1)
})

// G29
test('a client that is overtaken by retention while it is connected is told of the gap', async () => {
  const { view, store, platform, append, id } = await viewOf()
  await append(many(400), { data: JSON.stringify('x'.repeat(10_000)) })
  const slow = clientOf(view, { after: '0' }, 1)
  const quick = clientOf(view, { after: '0' })
  await platform.settle()
  expect(quick.events()).toHaveLength(400)
  await store.prune({ events: 100 })
  slow.take()
  await platform.settle()
  slow.take()
  await platform.settle()
  expect(slow.frames()[1]).toEqual({ id: id(100), event: 'gap', data: '{"reason":"retention","from":0,"oldest":101}' })
  expect(sequenceOf(slow.events()[0]!)).toBe(101)
})

test('an event that is missing in the middle of what is read is told as a gap at its place', async () => {
  const { view, append, id } = await viewOf({}, {}, (store) => ({
    ...store,
    read: async (after, limit) =>
      (await store.read(after, limit)).filter(({ sequence }) => sequence !== 1 && sequence !== 4 && sequence !== 5),
  }))
  await append(many(7))
  const client = clientOf(view, { after: '0' })
  await append(many(1))
  expect(
    client
      .frames()
      .slice(1)
      .map(({ id: at, event }) => [event, at]),
  ).toEqual([
    ['gap', id(1)],
    ['order.placed', id(2)],
    ['order.placed', id(3)],
    ['gap', id(5)],
    ['order.placed', id(6)],
    ['order.placed', id(7)],
    ['order.placed', id(8)],
  ])
})

test('a log that is emptied behind a client is a gap up to its end', async () => {
  let isHidden = true
  const { view, append, platform, id } = await viewOf({}, {}, (store) => ({
    ...store,
    read: async (after, limit) => (isHidden ? [] : store.read(after, limit)),
  }))
  const client = clientOf(view)
  await append(many(2))
  expect(client.frames().at(-1)).toEqual({
    id: id(2),
    event: 'gap',
    data: '{"reason":"retention","from":0,"oldest":3}',
  })
  isHidden = false
  await append(many(1))
  await platform.settle()
  expect(client.events().map(sequenceOf)).toEqual([3])
})

// G30
test('a position of another log, or beyond the end, is a gap and begins with the oldest kept', async () => {
  const { view, platform, append } = await viewOf()
  await append(many(2))
  for (const [after, reason] of [
    ['elsewhere-1', 'incarnation'],
    ['3', 'ahead'],
    ['what?', 'incarnation'],
  ]) {
    const client = clientOf(view, { after })
    await platform.settle()
    expect(JSON.parse(client.frames()[1]!.data)).toMatchObject({ reason, oldest: 1 })
    expect(client.events().map(sequenceOf)).toEqual([1, 2])
  }
})

test('a heartbeat tells a quiet client how far it has come, also past what it is not shown', async () => {
  const { view, platform, append, id } = await viewOf({ match: ['order.*'] })
  const client = clientOf(view)
  await append(many(4, 'stock.low'))
  await platform.advance(14_000)
  expect(client.frames()).toHaveLength(1)
  await platform.advance(1500)
  expect(client.frames()[1]).toEqual({ id: id(4), event: 'heartbeat', data: 'ping' })
  await platform.advance(30_000)
  expect(client.frames()).toHaveLength(4)
})

// G24
test('a connection that is full gets nothing more until it has room, and then the rest without gap or double', async () => {
  const { view, platform, append } = await viewOf()
  await append(many(3000))
  const client = clientOf(view, { after: '0' }, 10_000)
  let rounds = 0
  for (; client.events().length < 3000 && rounds < 1000; rounds++) {
    client.take()
    await platform.settle()
  }
  expect(rounds).toBeGreaterThan(5)
  expect(client.events().map(sequenceOf)).toEqual(Array.from({ length: 3000 }, (_, i) => i + 1))
  expect(client.state.writesWhenFull).toBe(0)
  expect(client.state.mostHeld).toBeLessThan(80 * 1024)
})

// G24
test('a client that takes nothing is cut in time and counted, and comes back where it was', async () => {
  const { view, platform, append } = await viewOf()
  const slow = clientOf(view, {}, 200)
  const quick = clientOf(view)
  await append(many(2))
  await append(many(2))
  await platform.advance(24_000)
  expect(slow.state.how).toBe('open')
  await platform.advance(3000)
  expect(slow.state.how).toBe('cut')
  expect(quick.state.how).toBe('open')
  expect(view.counters).toMatchObject({ connections: 1, opened: 2, cut: 1, sent: 4 + slow.events().length })
  const back = clientOf(view, { after: slow.events().at(-1)!.id })
  await platform.settle()
  expect([...slow.events(), ...back.events()].map(sequenceOf)).toEqual([1, 2, 3, 4])
})

test('an event is read and encoded once for all clients that keep up', async () => {
  let reads = 0
  const { view, append } = await viewOf({}, {}, (store) => ({
    ...store,
    read: (after, limit) => {
      reads += 1
      return store.read(after, limit)
    },
  }))
  const buffers = new Map<ArrayBufferLike, number>()
  for (let i = 0; i < 50; i++) {
    view.enter({}).open({
      write: ({ buffer }) => buffers.set(buffer, (buffers.get(buffer) ?? 0) + 1) !== undefined,
      end: () => undefined,
      cut: () => undefined,
    })
  }
  buffers.clear()
  for (let i = 0; i < 4; i++) await append(many(10))
  expect(reads).toBe(4)
  expect([...buffers.values()]).toEqual([50, 50, 50, 50])
})

test('clients that keep up do not wait for one that catches up', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { view, append } = await viewOf({}, {}, (store) => ({
    ...store,
    read: async (after, limit) => {
      if (after === 0) await promise
      return store.read(after, limit)
    },
  }))
  await append(many(3))
  const quick = clientOf(view)
  await append(many(1))
  const behind = clientOf(view, { after: '0' })
  await append(many(1))
  expect(quick.events().map(sequenceOf)).toEqual([4, 5])
  expect(behind.events()).toEqual([])
  resolve()
  await append(many(1))
  expect(behind.events().map(sequenceOf)).toEqual([1, 2, 3, 4, 5, 6])
})

test('a log that cannot be read is said once and tried again', async () => {
  let isBroken = true
  const { view, append, platform, errors } = await viewOf({}, {}, (store) => ({
    ...store,
    read: (after, limit) => (isBroken ? Promise.reject(new Error('torn')) : store.read(after, limit)),
  }))
  const client = clientOf(view)
  await append(many(1))
  await platform.advance(5000)
  expect(errors).toHaveLength(1)
  expect(view.lastError).toBe('torn')
  isBroken = false
  await platform.advance(1000)
  expect(client.events().map(sequenceOf)).toEqual([1])
  expect(view.lastError).toBeUndefined()
})

test('a wait that fails is said and begun again', async () => {
  let calls = 0
  const { view, append, platform, errors } = await viewOf({}, {}, (store: Store) => ({
    ...store,
    wait: (after, signal) => (calls++ === 0 ? Promise.reject(new Error('torn')) : store.wait(after, signal)),
  }))
  const client = clientOf(view)
  await platform.settle()
  expect(errors).toHaveLength(1)
  await platform.advance(1000)
  await append(many(1))
  expect(client.events()).toHaveLength(1)
})

// SEC-58
test('connections are bounded, in all and for each token', async () => {
  const { view } = await viewOf({}, { connections: 3, connectionsPerToken: 2 })
  const code = (run: () => unknown): string => {
    try {
      run()
      return 'ok'
    } catch (error) {
      return (error as AppError).code
    }
  }
  const first = clientOf(view, { token: 'shop' })
  clientOf(view, { token: 'shop' })
  expect(code(() => view.enter({ token: 'shop' }))).toBe('overloaded')
  clientOf(view, { token: 'crm' })
  expect(code(() => view.enter({}))).toBe('overloaded')
  first.connection.close()
  expect(code(() => view.enter({ token: 'shop' }))).toBe('ok')
  expect(view.counters).toMatchObject({ connections: 3, opened: 4, refused: 2 })
})

// SEC-46
test('a client that may not read any more is ended within seconds', async () => {
  const { view, platform } = await viewOf()
  let isAllowed = true
  const client = clientOf(view, { isAllowed: () => isAllowed })
  await platform.advance(10_000)
  expect(client.state.how).toBe('open')
  isAllowed = false
  await platform.advance(2000)
  expect(client.state.how).toBe('ended')
})

test('when the view ends its clients end, those that are stuck at once, and none begins', async () => {
  const { view, platform, append } = await viewOf()
  const client = clientOf(view)
  const stuck = clientOf(view, {}, 1)
  const unopened = view.enter({})
  await append(many(1))
  view.close()
  expect(client.state.how).toBe('ended')
  expect(stuck.state.how).toBe('cut')
  let ended = 0
  unopened.open({ write: () => true, end: () => (ended += 1), cut: () => undefined })
  expect(ended).toBe(1)
  expect(clientOf(view).state.how).toBe('ended')
  expect(view.counters.connections).toBe(0)
  await append(many(1))
  await platform.advance(60_000)
  expect(client.events()).toHaveLength(1)
  expect(platform.timers).toBe(0)
})

test('while nobody is connected nothing is read and no timer runs', async () => {
  let reads = 0
  const { view, append, platform } = await viewOf({}, {}, (store) => ({
    ...store,
    read: (after, limit) => {
      reads += 1
      return store.read(after, limit)
    },
  }))
  const client = clientOf(view)
  await append(many(1))
  client.connection.close()
  const before = reads
  await append(many(5))
  await platform.advance(5000)
  expect(reads).toBe(before)
  expect(platform.timers).toBe(0)
  // Nothing is kept for nobody.
  clientOf(view, { after: '0' })
  await platform.settle()
  expect(reads).toBe(before + 1)
})

// G24
test('large events are handed over one at a time, and a client holds no more than it must', async () => {
  const { view, platform, append } = await viewOf()
  await append(many(20), { data: JSON.stringify('x'.repeat(300_000)) })
  const client = clientOf(view, { after: '0' }, 100_000)
  for (let i = 0; i < 30; i++) {
    client.take()
    await platform.settle()
  }
  expect(client.events().map(sequenceOf)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  expect(client.state.mostHeld).toBeLessThan(301_000)
})
