import type { EventInput } from '../../core/event.ts'
import type { EngineSetup } from '../setup.ts'
import { createUpcasting } from '../upcasting.ts'
import { type AppendParts, appendToStream } from './append.ts'
import type { StreamDesk } from './face.ts'
import { readStream, versionUntil } from './read.ts'
import { createSnapshots } from './snapshots.ts'

/** The streams of a pipeline; `live` answers its parts, and throws before it is open. */
export function createStreams(
  { isStreamed, schemas, log }: EngineSetup,
  live: () => Omit<AppendParts, 'isStreamed'>,
): StreamDesk {
  const see = createUpcasting(schemas)
  const parts = (): AppendParts => ({ store: live().store, ingest: live().ingest, isStreamed })
  return {
    async append(stream, events, options) {
      const inputs = events.map((event: EventInput) => ({ ...event, subject: event.subject ?? stream }))
      const records = await live().ingest.assertValid(inputs, true)
      return appendToStream(parts(), stream, records, options)
    },
    async appendRecords(stream, given, options) {
      const named = given.map((record) => ({ ...record, subject: record.subject ?? stream }))
      const records = await live().ingest.assertFit(named, true)
      const appended = await appendToStream(parts(), stream, records, options)
      for (const { status } of appended.results) live().ingest.doorCounts[status] += 1
      return appended
    },
    readStream: (stream, options = {}) => readStream(live().store, see, stream, options),
    streamVersion: async (stream, until) => versionUntil(live().store, stream, until),
    snapshots: createSnapshots(() => live().store, log),
  }
}
