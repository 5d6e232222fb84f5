import { messageOf } from '../core/errors.ts'
import type { EventInput } from '../core/event.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { IngestResult, Source, SourceBatch, SourceContext } from '../plugin/source.ts'
import type { Store } from '../plugin/store.ts'
import { type Debounce, openDebounce } from './debounce.ts'
import type { Ingest } from './ingest.ts'
import { type IngestCounts, noCounts } from './ingest-parts.ts'
import type { SourceSpec } from './setup.ts'
import type { Services } from './supervise.ts'

/** A configured source with its counts. */
export interface RunningSource {
  readonly name: string
  readonly isPassive: boolean
  readonly counts: IngestCounts
  /** Absent for the door `http`, which needs nothing made. */
  readonly source?: Source | undefined
}

type Around = {
  readonly store: Store
  readonly ingest: Ingest
  readonly services: Services
  readonly platform: Platform
  readonly log: Log
}

/** Makes a source and starts its loop, if it has one. */
export function startSource(spec: SourceSpec, around: Around): RunningSource {
  const { name, isPassive, receives, create } = spec
  if (!isPassive) return runSource(spec, create(), around)
  if (receives !== true) return { name, isPassive, counts: around.ingest.doorCounts }
  return { name, isPassive, counts: noCounts(), source: create() }
}

/** Starts a source's loop: pull a batch, commit it with its cursor, tell the source, pull the next. */
function runSource({ name, debounce: rules = [] }: SourceSpec, source: Source, around: Around): RunningSource {
  const { store, ingest, services, log } = around
  const running: RunningSource = { name, isPassive: false, counts: noCounts(), source }
  const context = sourceContext(name, around)
  let debounce: { readonly opened: Debounce | undefined } | undefined
  services.loop(`source ${name}`, async () => {
    if (debounce === undefined) {
      const opened = await openDebounce(name, rules, running.counts, around)
      debounce = { opened }
      if (opened !== undefined) services.loop(`debounce of source ${name}`, () => opened.run())
    }
    const cursor = await store.cursor(name)
    for await (const batch of source.read(cursor, context)) {
      await takeBatch(name, batch, { ingest, debounce: debounce.opened, counts: running.counts, log })
      if (services.signal.aborted) return
    }
  })
  return running
}

async function takeBatch(
  name: string,
  batch: SourceBatch,
  { ingest, debounce, counts, log }: { ingest: Ingest; debounce: Debounce | undefined; counts: IngestCounts; log: Log },
): Promise<void> {
  const problem = batchProblem(batch)
  if (problem !== undefined) throw new Error(`it yielded ${problem}: yield { events, cursor }`)
  const cursor = batch.cursor === undefined ? undefined : { source: name, value: batch.cursor }
  const events = batch.events.map((event) => ({ ...event, source: event.source ?? name }))
  if (batch.isWhole === true) await ingest.assertValid(events)
  const results = await (debounce === undefined
    ? ingest.ingestInputs(events, cursor).then((answer) => answer.results)
    : ingestOrHold(events, cursor, ingest, debounce))
  for (const result of results) {
    // An event that waits for others is counted when its group is stored.
    if (!isWaiting(result)) counts[result.status] += 1
    if (result.status === 'refused')
      log.warn(`source ${name} gave an event that is not valid`, { problem: result.error.message })
  }
  try {
    await batch.settled?.(results)
  } catch (error) {
    log.warn(`source ${name} could not acknowledge a stored batch; it may come again and is then a duplicate`, {
      error: messageOf(error),
    })
  }
}

/** What waits is kept before the cursor is stored, so that a crash in between makes it be read again and not be lost. */
async function ingestOrHold(
  events: readonly EventInput[],
  cursor: { source: string; value: string } | undefined,
  ingest: Ingest,
  debounce: Debounce,
): Promise<readonly IngestResult[]> {
  const held = await debounce.hold(events)
  const { results } = await ingest.ingestInputs(
    events.filter((_, at) => held[at] === 'not'),
    cursor,
  )
  let next = 0
  return events.map(({ source, id }, at) => {
    if (held[at] === 'not') return results[next++]!
    return { source, id, status: held[at] === 'seen' ? 'duplicate' : 'stored', sequence: 0 }
  })
}

function isWaiting(result: IngestResult): boolean {
  return result.status === 'stored' && result.sequence === 0
}

function sourceContext(name: string, { store, services, platform, log }: Around): SourceContext {
  return {
    name,
    log,
    clock: platform.clock,
    signal: services.signal,
    sleep: (ms) => services.sleep(ms),
    state: {
      get: (key) => store.state.get(name, key),
      set: (key, value) => store.state.set(name, key, value),
      delete: (key) => store.state.delete(name, key),
      deleteOlderThan: (timeMs) => store.state.deleteOlderThan(name, timeMs),
      list: (prefix) => store.state.list(name, prefix),
    },
  }
}

/** What is wrong with what a source yielded; what is wrong with an event is said of that event. */
function batchProblem(batch: unknown): string | undefined {
  if (typeof batch !== 'object' || batch === null) return 'no batch'
  const { events, cursor } = batch as { readonly events?: unknown; readonly cursor?: unknown }
  if (!Array.isArray(events)) return 'a batch without a list of events'
  if (events.some((event) => typeof event !== 'object' || event === null)) return 'an event that is no object'
  return cursor === undefined || typeof cursor === 'string' ? undefined : 'a cursor that is no text'
}
