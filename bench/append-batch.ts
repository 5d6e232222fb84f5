import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { openPipeline, type Pipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import {
  type BenchEvent,
  inFlight,
  type Measures,
  type Question,
  secondsOf,
  someEvents,
  type Variant,
} from './harness.ts'

const batch = 1_000
/** Batches made before the clock runs, so that making events is never measured. */
const chunk = 25
/** The same where the delay of the event loop is measured: more prepared events are more for the garbage collector to copy. */
const smallChunk = 10
/** Callers that wait at once: enough that one batch gathers while another syncs. */
const width = 4

/** Appends batches that were made before the clock runs; answers the seconds. */
export async function appendChunk(
  first: number,
  append: (batches: readonly BenchEvent[][]) => Promise<void> | void,
  count = chunk,
): Promise<number> {
  const batches = Array.from({ length: count }, (_, index) => someEvents(batch, first + index * batch))
  return secondsOf(() => append(batches))
}

/** Events in what `appendChunk` appends. */
export const chunkEvents = batch * chunk

/** Events a second, from the seconds of chunks. */
export function rateOf(seconds: readonly number[]): number {
  return (seconds.length * chunkEvents) / seconds.reduce((a, b) => a + b, 0)
}

/** Publishes batches as `millraceAppend` does. */
export function publishing(pipeline: Pipeline): (batches: readonly BenchEvent[][]) => Promise<void> {
  return (batches) => inFlight(batches.length, width, (index) => pipeline.publish(batches[index]!))
}

async function measure(
  total: number,
  append: (batches: readonly BenchEvent[][]) => Promise<void> | void,
): Promise<Measures> {
  const seconds: number[] = []
  for (let done = 0; done < total; done += chunkEvents) seconds.push(await appendChunk(done, append))
  return { perSecond: rateOf(seconds) }
}

/**
 * The limit: the same rows (every column that Millrace stores, the text of data made from the same objects) by one thread,
 * multi-row inserts, no index, no deduplication, no checksum, a sync per batch.
 */
export function rawAppend(total: number): Variant {
  return async ({ directory }) => {
    const database = new DatabaseSync(join(directory, 'raw.db'))
    database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL')
    database.exec(
      `CREATE TABLE events (sequence INTEGER PRIMARY KEY, appended_at INTEGER, source TEXT, id TEXT, type TEXT, subject TEXT,
        time TEXT, data TEXT, meta TEXT, datacontenttype TEXT, dataschema TEXT, sum INTEGER) STRICT`,
    )
    const rows = 64
    const inserts = new Map<number, StatementSync>()
    const prepare = (count: number): StatementSync => {
      const known = inserts.get(count)
      if (known !== undefined) return known
      const made = database.prepare(
        `INSERT INTO events VALUES ${Array(count).fill('(?,?,?,?,?,?,?,?,?,?,?,?)').join(',')}`,
      )
      inserts.set(count, made)
      return made
    }
    const begin = database.prepare('BEGIN IMMEDIATE')
    const commit = database.prepare('COMMIT')
    let head = 0
    const measures = await measure(total, (batches) => {
      for (const events of batches) {
        begin.run()
        for (let first = 0; first < events.length; first += rows) {
          const some = events.slice(first, first + rows)
          prepare(some.length).run(...valuesOf(some, head))
          head += some.length
        }
        commit.run()
      }
    })
    database.close()
    return measures
  }
}

function valuesOf(events: readonly BenchEvent[], head: number): SQLInputValue[] {
  const now = Date.now()
  const values: SQLInputValue[] = []
  for (const [index, { source, id, type, subject, data }] of events.entries()) {
    values.push(head + index + 1, now, source, id, type, subject, null, JSON.stringify(data), null, null, null, index)
  }
  return values
}

/** Millrace: `publish` of the same batches, deduplicated, durability disk. */
export function millraceAppend(total: number): Variant {
  return async ({ directory }) => {
    await using pipeline = await openPipeline({
      store: sqlite({ path: join(directory, 'events.db') }),
      subscriptions: {},
    })
    const measures = await measure(total, publishing(pipeline))
    const head = pipeline.stats().head
    if (head !== total) throw new Error(`published ${total}, the log has ${head}`)
    return measures
  }
}

/** How late the event loop is while batches are appended. */
function loopDelay(total: number): Variant {
  return async ({ directory }) => {
    await using pipeline = await openPipeline({
      store: sqlite({ path: join(directory, 'events.db') }),
      subscriptions: {},
    })
    const delay = monitorEventLoopDelay({ resolution: 1 })
    const append = publishing(pipeline)
    const seconds: number[] = []
    for (let done = 0; done < total; done += smallChunk * batch) {
      const measured = async (batches: readonly BenchEvent[][]): Promise<void> => {
        delay.enable()
        await append(batches)
        delay.disable()
      }
      seconds.push(await appendChunk(done, measured, smallChunk))
    }
    // The histogram counts from the timer's start: 1 ms of it is the timer itself.
    return {
      perSecond: total / seconds.reduce((a, b) => a + b, 0),
      loopDelayP99Ms: delay.percentile(99) / 1e6,
      loopDelayMaxMs: delay.max / 1e6,
    }
  }
}

export const question: Question = {
  ask: 'How near does a deduplicated, durable append of batches come to what SQLite can write at all? (1,000 random ids a batch, about 220 bytes of data, up to 1 million events)',
  variants: {
    raw: (context) => rawAppend(context.size(1_000_000, 100_000))(context),
    millrace: (context) => millraceAppend(context.size(1_000_000, 100_000))(context),
    delay: (context) => loopDelay(context.size(1_000_000, 100_000))(context),
  },
  targets: [
    {
      says: 'share of the raw limit',
      value: (of) => of['millrace']!['perSecond']! / of['raw']!['perSecond']!,
      at: 'least',
      goal: 0.6,
    },
    {
      says: 'delay of the event loop meanwhile, 99th percentile in ms',
      value: (of) => of['delay']!['loopDelayP99Ms']!,
      at: 'most',
      goal: 20,
      holdsQuick: false,
    },
  ],
}
