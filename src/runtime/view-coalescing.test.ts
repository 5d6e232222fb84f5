import fc from 'fast-check'
import { expect, test } from 'vitest'
import { clientOf, sequenceOf, viewOf } from './view-fixture.test-support.ts'

const coalesce = { windowMs: 1000, maxWaitMs: 10_000 }

test('ten updates within the window are one frame, with the last state, when it is over', async () => {
  const { view, platform, append, id } = await viewOf({ coalesce })
  const client = clientOf(view)
  for (let n = 1; n <= 10; n++) {
    await append(['file.changed'], { data: `{"n":${n}}`, subject: 'report' })
    await platform.advance(90)
  }
  expect(client.events()).toEqual([])
  await platform.advance(100)
  const [event, ...rest] = client.events()
  expect(rest).toEqual([])
  expect(event).toMatchObject({ id: id(10), event: 'file.changed' })
  expect(JSON.parse(event!.data)).toMatchObject({ data: { n: 10 } })
  // The next one begins a window of its own.
  await append(['file.changed'], { subject: 'report' })
  await platform.advance(999)
  expect(client.events()).toHaveLength(1)
  await platform.advance(1)
  expect(client.events()).toHaveLength(2)
})

// S0-37 S0-39
test('other subjects and other types are never merged, and what has no subject never at all', async () => {
  const { view, platform, append } = await viewOf({ coalesce })
  const client = clientOf(view)
  await append(['a', 'b', 'a'], { subject: 's' })
  await append(['a'], { subject: 't' })
  await append(['a', 'a'])
  await platform.advance(1000)
  expect(client.events().map(sequenceOf)).toEqual([2, 3, 4, 5, 6])
})

test('what the condition leaves out supersedes nothing', async () => {
  const where = { text: '', test: (event: { data: unknown }) => event.data !== 0, explain: () => '' }
  const { view, platform, append } = await viewOf({ coalesce, where })
  const client = clientOf(view)
  await append(['a'], { subject: 's', data: '1' })
  await append(['a'], { subject: 's', data: '0' })
  await platform.advance(1000)
  expect(client.events().map(sequenceOf)).toEqual([1])
})

test('a client that comes back does not wait for what was shown already, and no timer runs for nobody', async () => {
  const { view, platform, append } = await viewOf({ coalesce })
  await append(['a', 'a'], { subject: 's' })
  const client = clientOf(view, { after: '0' })
  await platform.settle()
  expect(client.events().map(sequenceOf)).toEqual([2])
  await append(['a'], { subject: 's' })
  client.connection.close()
  expect(view.counters.connections).toBe(0)
  await platform.advance(1000)
  expect(platform.timers).toBe(0)
  const again = clientOf(view, { after: '2' })
  await platform.settle()
  expect(again.events().map(sequenceOf)).toEqual([3])
  await append(['a'], { subject: 's' })
  view.close()
  await platform.advance(1000)
  expect(platform.timers).toBe(0)
})

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      types: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 8 }),
      subject: fc.constantFrom(undefined, 's', 't'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('take' as const), client: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drop' as const), client: fc.nat(2), kept: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat(1500) }) },
)
const scenario = fc.record({
  narrow: fc.constantFrom<string[] | undefined>(undefined, ['a'], ['b', 'c']),
  rooms: fc.tuple(
    fc.integer({ min: 1, max: 3000 }),
    fc.integer({ min: 1, max: 20_000 }),
    fc.constant(Number.POSITIVE_INFINITY),
  ),
  dataLength: fc.constantFrom(1, 300, 30_000),
  steps: fc.array(step, { maxLength: 40 }),
})

// G24
test('over any breaks and slow readers the last state of each key arrives, ids ascend, and none comes twice in a connection', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ narrow, rooms, dataLength, steps }) => {
      const { view, platform, append } = await viewOf({ coalesce })
      const log: { type: string; subject: string | undefined }[] = []
      const data = JSON.stringify('ü'.repeat(dataLength))
      const clients = rooms.map((room) => {
        let last = '0'
        const got: number[] = []
        const connect = () => clientOf(view, { after: last, types: narrow }, room)
        let client = connect()
        return {
          got,
          take: () => client.take(),
          /** The connection breaks when so many of its frames have arrived. */
          reconnect(kept = Number.POSITIVE_INFINITY): void {
            const arrived = client.frames().slice(0, kept)
            const ids = arrived.filter(({ event }) => !['info', 'heartbeat'].includes(event)).map(sequenceOf)
            for (const [index, sequence] of ids.entries())
              expect(sequence).toBeGreaterThan(ids[index - 1] ?? got.at(-1) ?? 0)
            got.push(...ids)
            last = arrived.findLast(({ id }) => id !== undefined)?.id ?? last
            client.connection.close()
            client = connect()
          },
        }
      })
      for (const each of steps) {
        if (each.kind === 'append') {
          log.push(...each.types.map((type) => ({ type, subject: each.subject })))
          await append(each.types, { data, subject: each.subject })
        } else if (each.kind === 'take') clients[each.client]!.take()
        else if (each.kind === 'drop') clients[each.client]!.reconnect(each.kept)
        else await platform.advance(each.ms)
        await platform.settle()
      }
      await platform.advance(coalesce.windowMs)
      const wanted = log
        .map((event, index) => ({ ...event, sequence: index + 1 }))
        .filter(({ type }) => narrow?.includes(type) ?? true)
      const lastStates = wanted.filter(
        ({ type, subject, sequence }) =>
          subject === undefined ||
          !wanted.some((later) => later.sequence > sequence && later.type === type && later.subject === subject),
      )
      for (const client of clients) {
        for (let round = 0; round < 2 * log.length + 5; round++) {
          client.take()
          await platform.settle()
        }
        client.reconnect()
        const got = new Set(client.got)
        expect(lastStates.filter(({ sequence }) => !got.has(sequence))).toEqual([])
        expect(client.got.filter((sequence) => !wanted.some((each) => each.sequence === sequence))).toEqual([])
      }
      view.close()
    }),
    { numRuns: 60 },
  )
}, 60_000)
