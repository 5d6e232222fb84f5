import assert from 'node:assert/strict'
import { checkEvent } from '../core/event-check.ts'
import type { IngestResult, Source, SourceBatch, SourceContext } from '../plugin/source.ts'
import { createSourceContext } from './plugin-context.ts'
import { within } from './within.ts'

/** How the suite gets at the source that it examines. */
export interface SourceUnderTest {
  /** A new source on the same outside system. */
  create(): Source | Promise<Source>
  /** How many events the outside system holds for it, at least; 0: it is passive and yields none of its own. */
  readonly events: number
  /** False where the outside system cannot be read from a place again (a pipe): it begins anew and ids absorb it. */
  readonly hasPlace?: boolean | undefined
}

/** One promise of every source, and how to see that it is kept. */
export interface SourceCase {
  readonly promise: string
  readonly ids: readonly string[]
  readonly needs?: readonly ('active' | 'place')[] | undefined
  run(under: SourceUnderTest): Promise<void>
}

/** How long anything may take that should be quick; only a hanging source comes near. */
const limitMs = 15_000

/** Reads until it has seen `count` events (or the source ends), as the runtime does; then stops the source. */
async function readSome(
  under: SourceUnderTest,
  count: number,
  options: { cursor?: string | undefined; state?: SourceContext['state']; settles?: boolean } = {},
): Promise<{ ids: string[]; batches: SourceBatch[]; cursor: string | undefined }> {
  const stop = new AbortController()
  const source = await under.create()
  const context = createSourceContext({
    name: 'outside',
    signal: stop.signal,
    ...(options.state && { state: options.state }),
  })
  const batches: SourceBatch[] = []
  let { cursor } = options
  let seen = 0
  const reading = async () => {
    for await (const batch of source.read(options.cursor, context)) {
      batches.push(batch)
      seen += batch.events.length
      cursor = batch.cursor ?? cursor
      if (options.settles === true) await batch.settled?.(batch.events.map(storedAs))
      if (seen >= count) break
    }
  }
  try {
    await within(limitMs, `the source should yield ${count} events`, reading())
  } finally {
    stop.abort()
    await source.close?.()
  }
  return { ids: batches.flatMap(({ events }) => events.map(({ id }) => id)), batches, cursor }
}

const storedAs = (event: { id: string; source?: string | undefined }, index: number): IngestResult => ({
  source: event.source ?? 'outside',
  id: event.id,
  status: 'stored',
  sequence: index + 1,
})

/** Every promise of a source. */
export const sourceCases: readonly SourceCase[] = [
  {
    promise: 'a source ends soon after its signal aborts',
    ids: ['G32'],
    async run(under) {
      const stop = new AbortController()
      const source = await under.create()
      const context = createSourceContext({ name: 'outside', signal: stop.signal })
      const reading = (async () => {
        // Nothing is asked for after the abort but the end.
        for await (const _ of source.read(undefined, context)) if (stop.signal.aborted) return
      })()
      setTimeout(() => stop.abort(), 50)
      await within(limitMs, 'the source should end', reading)
      await source.close?.()
    },
  },
  {
    promise: 'a source that is stopped before it is read ends',
    ids: ['G32'],
    async run(under) {
      const source = await under.create()
      const context = createSourceContext({ name: 'outside', signal: AbortSignal.abort() })
      const reading = (async () => {
        for await (const _ of source.read(undefined, context)) return
      })()
      await within(limitMs, 'the source should end', reading)
      await source.close?.()
    },
  },
  {
    promise: 'a source yields events that can be stored as they are',
    ids: ['S0-02'],
    needs: ['active'],
    async run(under) {
      const { batches } = await readSome(under, under.events)
      for (const event of batches.flatMap(({ events }) => events)) {
        const checked = checkEvent({ source: 'outside', ...event })
        assert.ok(checked.ok, checked.ok ? '' : checked.issues.map(({ message }) => message).join('; '))
      }
    },
  },
  {
    promise: 'a source that reads the same again gives the same ids',
    ids: ['S0-02', 'K1'],
    needs: ['active'],
    async run(under) {
      // Nothing was committed, so nothing is settled and the second reader begins where the first did.
      const first = await readSome(under, under.events)
      const again = await readSome(under, under.events)
      assert.equal(new Set(first.ids).size, first.ids.length, 'each event has an id of its own')
      const count = Math.min(first.ids.length, again.ids.length)
      assert.ok(count >= under.events)
      assert.deepEqual(again.ids.slice(0, count), first.ids.slice(0, count))
    },
  },
  {
    promise: 'a source that goes on from its cursor does not give what was committed',
    ids: ['S1-07'],
    needs: ['active', 'place'],
    async run(under) {
      const { state } = createSourceContext()
      const first = await readSome(under, 1, { state, settles: true })
      const rest = under.events - first.ids.length
      if (rest <= 0) return
      const second = await readSome(under, rest, { state, cursor: first.cursor, settles: true })
      assert.deepEqual(
        second.ids.filter((id) => first.ids.includes(id)),
        [],
      )
    },
  },
  {
    promise: 'a source can be closed without being read, and twice',
    ids: ['G32'],
    async run(under) {
      const source = await under.create()
      await source.close?.()
      await source.close?.()
    },
  },
]

/** Why a case says nothing about a source; undefined when it is to be run. */
export function whySourceSkipped({ needs = [] }: SourceCase, under: SourceUnderTest): string | undefined {
  if (needs.includes('active') && under.events === 0) return 'its events come by other doors'
  if (needs.includes('place') && under.hasPlace === false) return 'its outside system has no places to go on from'
  return undefined
}
