import fc from 'fast-check'
import { expect, test } from 'vitest'
import { clientOf, sequenceOf, viewOf } from './view-fixture.test-support.ts'

const types = ['order.placed', 'order.paid', 'stock.low', 'x'] as const

/** What happens next: events come, a client reads on, goes away and comes back, time passes. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      types: fc.array(fc.constantFrom(...types), { maxLength: 30 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const), client: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drop' as const), client: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat(40_000) }) },
)
const scenario = fc.record({
  match: fc.constantFrom(['*'], ['order.*'], ['order.paid', 'x']),
  narrow: fc.constantFrom(undefined, ['order.*'], ['stock.low', 'order.placed']),
  rooms: fc.tuple(
    fc.integer({ min: 1, max: 3000 }),
    fc.integer({ min: 1, max: 20_000 }),
    fc.constant(Number.POSITIVE_INFINITY),
  ),
  dataLength: fc.constantFrom(1, 300, 30_000),
  steps: fc.array(step, { maxLength: 40 }),
})

const isWanted = (patterns: readonly string[], type: string): boolean =>
  patterns.some(
    (pattern) =>
      pattern === '*' || pattern === type || (pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1))),
  )

// G24
test('over any disconnects, resumes and slow readers every client has exactly the matching events, in order', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ match, narrow, rooms, dataLength, steps }) => {
      const { view, platform, append } = await viewOf({ match })
      const log: string[] = []
      const data = JSON.stringify('ü'.repeat(dataLength))
      const clients = rooms.map((room) => {
        let last = '0'
        const got: number[] = []
        const connect = () => clientOf(view, { after: last, types: narrow }, room)
        let client = connect()
        return {
          take: () => client.take(),
          reconnect(): void {
            // A frame that never arrived whole is not seen by the client: what it knows is the id of the last whole one.
            const frames = client.frames()
            got.push(...client.events().map(sequenceOf))
            last = frames.findLast(({ id }) => id !== undefined)?.id ?? last
            client.connection.close()
            client = connect()
          },
          got,
        }
      })
      for (const each of steps) {
        if (each.kind === 'append') {
          log.push(...each.types)
          await append(each.types, { data })
        } else if (each.kind === 'take') clients[each.client]!.take()
        else if (each.kind === 'drop') clients[each.client]!.reconnect()
        else await platform.advance(each.ms)
        await platform.settle()
      }
      const wanted = log.flatMap((type, index) =>
        isWanted(match, type) && (narrow === undefined || isWanted(narrow, type)) ? [index + 1] : [],
      )
      for (const client of clients) {
        for (let round = 0; round < 2 * log.length + 5; round++) {
          client.take()
          await platform.settle()
        }
        client.reconnect()
        for (let round = 0; round < log.length + 5; round++) {
          client.take()
          await platform.settle()
        }
        client.reconnect()
        expect(client.got).toEqual(wanted)
      }
      view.close()
    }),
    { numRuns: 60 },
  )
}, 60_000)
