import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { HttpClient } from '../../io/http-client.ts'
import { createWorld } from './world.test-support.ts'

const overlapMs = 60_000
const limit = 4

interface Row {
  readonly id: string
  readonly at: string
}

/** What happens while the API makes its next answer, before it looks at its rows. */
const happenings = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('row' as const),
        lateMs: fc.integer({ min: 0, max: overlapMs - 2_000 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 90_000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fault' as const) }) },
  ),
  { maxLength: 4 },
)
const run = fc.record({
  kind: fc.constantFrom('poll' as const, 'crash' as const, 'full disk' as const),
  commits: fc.integer({ min: 0, max: 4 }),
})
const paging = fc.constantFrom(
  { cursorField: '$.at', overlap: '60s' },
  { cursorField: '$.at', overlap: '60s', pageSize: limit },
  { cursorField: '$.at', overlap: '60s', next: '$.next', pageParam: 'token' },
)

/** An API that answers what is at or after `since`, oldest first, in pages; a token names the last row of the page before. */
function createApi(script: readonly (typeof happenings extends fc.Arbitrary<infer T> ? T : never)[]) {
  const rows: Row[] = []
  let asked = 0
  let advance = async (_: number): Promise<void> => undefined
  let now = () => 0
  const insert = (lateMs: number): void => {
    const at = new Date(Math.floor((now() - lateMs) / 1000) * 1000).toISOString()
    // More rows of one second than a page holds cannot be paged through by time alone.
    if (rows.filter((row) => row.at === at).length < limit - 1) rows.push({ id: `r${rows.length}`, at })
  }
  const client: HttpClient = {
    async request({ url }) {
      let status = 200
      for (const each of script[asked++] ?? []) {
        if (each.kind === 'row') insert(each.lateMs)
        else if (each.kind === 'time') await advance(each.ms)
        else status = 500
      }
      const since = Date.parse(url.searchParams.get('since') ?? '1970-01-01')
      const token = url.searchParams.get('token') ?? ''
      const keyOf = ({ at, id }: Row) => `${at} ${id.padStart(6, '0')}`
      const found = rows
        .filter((row) => Date.parse(row.at) >= since && keyOf(row) > token)
        .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      const page = found.slice(0, limit)
      const next = found.length > limit ? keyOf(page.at(-1)!) : null
      const body = Buffer.from(JSON.stringify({ rows: page, next }))
      return { kind: 'response', status, headers: new Map(), body, isTruncated: false }
    },
    post: () => Promise.reject(new Error('not asked for')),
    open: () => Promise.reject(new Error('not asked for')),
    close: async () => undefined,
  }
  return {
    rows,
    client,
    isQuiet: () => asked >= script.length,
    use(clock: { now(): number }, move: (ms: number) => Promise<void>) {
      now = () => clock.now()
      advance = move
    },
  }
}

// S0-12 S0-13 S0-66 G6
it('every row is stored exactly once, however late rows, restarts, failed commits and failed answers interleave', async () => {
  await fc.assert(
    fc.asyncProperty(
      paging,
      fc.array(happenings, { maxLength: 30 }),
      fc.array(run, { maxLength: 12 }),
      async (options, script, runs) => {
        const api = createApi(script)
        const world = createWorld(
          { url: 'https://api.example/rows', items: '$.rows', id: '$.id', time: '$.at', maxPages: 3, ...options },
          { client: api.client },
        )
        api.use(world.platform.clock, (ms) => world.platform.advance(ms))
        for (const { kind, commits } of runs) {
          world.faults.commit = kind === 'full disk'
          await world.poll({ crashAfter: kind === 'crash' ? commits : Number.POSITIVE_INFINITY }).catch(() => undefined)
        }
        world.faults.commit = false
        // Then all is quiet, and a few polls are enough to read what is there.
        for (let polls = 0; polls < 60; polls++) await world.poll().catch(() => undefined)
        expect(api.isQuiet()).toBe(true)
        expect(world.ids().toSorted()).toEqual(api.rows.map(({ id }) => id).toSorted())
        expect(world.counts).toMatchObject({ stored: api.rows.length, conflict: 0 })
      },
    ),
    { numRuns: 150 },
  )
})
