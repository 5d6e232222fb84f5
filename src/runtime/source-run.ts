import { messageOf } from '../core/errors.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { Source, SourceBatch, SourceContext } from '../plugin/source.ts'
import type { Store } from '../plugin/store.ts'
import { type Ingest, type IngestCounts, noCounts } from './ingest.ts'
import type { Services } from './supervise.ts'

/** A configured source with its counts. */
export interface RunningSource {
  readonly name: string
  readonly isPassive: boolean
  readonly counts: IngestCounts
}

/** Starts a source's loop: pull a batch, commit it with its cursor, tell the source, pull the next. */
export function runSource(
  name: string,
  source: Source,
  around: { store: Store; ingest: Ingest; services: Services; platform: Platform; log: Log },
): RunningSource {
  const { store, ingest, services, log } = around
  const running: RunningSource = { name, isPassive: false, counts: noCounts() }
  const context = sourceContext(name, around)
  services.loop(`source ${name}`, async () => {
    const cursor = await store.cursor(name)
    for await (const batch of source.read(cursor, context)) {
      await takeBatch(name, batch, ingest, running.counts, log)
      if (services.signal.aborted) return
    }
  })
  return running
}

async function takeBatch(
  name: string,
  batch: SourceBatch,
  ingest: Ingest,
  counts: IngestCounts,
  log: Log,
): Promise<void> {
  const cursor = batch.cursor === undefined ? undefined : { source: name, value: batch.cursor }
  const { results } = await ingest.ingestInputs(
    batch.events.map((event) => ({ ...event, source: event.source ?? name })),
    cursor,
  )
  for (const result of results) {
    counts[result.status] += 1
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

function sourceContext(
  name: string,
  { store, services, platform, log }: { store: Store; services: Services; platform: Platform; log: Log },
): SourceContext {
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
