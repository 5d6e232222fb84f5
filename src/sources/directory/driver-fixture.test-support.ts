import type { Log } from '../../core/platform.ts'
import type { IngestResult, SourceBatch, SourceContext } from '../../plugin/source.ts'
import { directory } from '../directory.ts'

export type SourceEvent = SourceBatch['events'][number]

/** Stores like the engine: events by id, the cursor with them, then `settled`. Time passes with every sleep. */
export function createDriver(folder: string, options: Record<string, unknown> = {}) {
  const stored = new Map<string, SourceEvent>()
  const state = new Map<string, string>()
  const logged: string[] = []
  const refused = new Set<unknown>()
  let cursor: string | undefined
  let duplicates = 0
  let conflicts = 0
  const write = (message: string, fields?: unknown): number => logged.push(`${message} ${JSON.stringify(fields)}`)
  const log: Log = { debug: write, info: write, warn: write, error: write }

  const commit = (batch: SourceBatch): IngestResult[] => {
    const results = batch.events.map((event): IngestResult => {
      const key = { source: event.source ?? 'inbox', id: event.id }
      const name = `${key.source} ${key.id}`
      if (refused.has(event.data))
        return { ...key, status: 'refused', error: { code: 'event-invalid', message: 'not liked' } }
      const there = stored.get(name)
      if (there === undefined) stored.set(name, event)
      else if (JSON.stringify(there) === JSON.stringify(event)) duplicates++
      else conflicts++
      const status =
        there === undefined ? 'stored' : JSON.stringify(there) === JSON.stringify(event) ? 'duplicate' : 'conflict'
      return { ...key, status, sequence: 1 }
    })
    if (batch.cursor !== undefined) cursor = batch.cursor
    return results
  }
  const start = () => {
    const controller = new AbortController()
    let now = 0
    let idle = 0
    const context: SourceContext = {
      name: 'inbox',
      log,
      clock: { now: () => 1_750_000_000_000 + now, monotonic: () => now },
      signal: controller.signal,
      async sleep(ms) {
        now += ms
        idle++
        await new Promise((resolve) => setImmediate(resolve))
        return !controller.signal.aborted
      },
      state: {
        get: async (key) => state.get(key),
        set: async (key, value) => void state.set(key, value),
        delete: async (key) => void (key === undefined ? state.clear() : state.delete(key)),
        deleteOlderThan: async () => 0,
        list: async (prefix = '') =>
          [...state].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({ key, value })),
      },
    }
    const source = directory({ path: folder, ...options })
    const checked = source.declaration.options.parse(source.options)
    const made = source.declaration.create(checked, { directory: '/', platform: undefined as never })
    const batches = made.read(cursor, context)[Symbol.asyncIterator]()
    const stop = async (): Promise<void> => {
      controller.abort()
      await batches.return?.()
    }
    return { batches, stop, looks: () => idle, now: () => now }
  }
  return {
    stored,
    state,
    logged,
    refused,
    start,
    commit,
    cursor: () => cursor,
    counts: () => ({ stored: stored.size, duplicates, conflicts }),
    data: () => [...stored.values()].map((event) => event.data),
    /** Runs until everything there was taken and the source has looked again several times without finding more. */
    async drain(crashAt: (batch: number, when: 'before' | 'between' | 'after') => boolean = () => false) {
      const run = start()
      let count = 0
      try {
        for (;;) {
          const before = run.looks()
          const next = run.batches.next()
          const idle = (async () => {
            while (run.looks() < before + 12) await new Promise((resolve) => setImmediate(resolve))
            return 'idle' as const
          })()
          const found = await Promise.race([next, idle])
          if (found === 'idle' || found.done === true) return count
          if (crashAt(count, 'before')) return count
          const results = commit(found.value)
          count++
          if (crashAt(count - 1, 'between')) return count
          await found.value.settled?.(results)
          if (crashAt(count - 1, 'after')) return count
        }
      } finally {
        await run.stop()
      }
    },
  }
}

/** `count` lines of NDJSON, `{"n":from}` and up. */
export const lines = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, n) => JSON.stringify({ n: from + n })).join('\n')
