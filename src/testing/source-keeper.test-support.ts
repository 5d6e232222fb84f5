import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import type { SourceDeclaration } from '../plugin/define.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { SourceBatch } from '../plugin/source.ts'
import { createSourceContext, recordingLog } from './plugin-context.ts'

type SourceEvent = SourceBatch['events'][number]
/** Ends a run like a kill, before or after the commit of the nth batch. */
export type Death = (batch: SourceBatch, n: number) => 'before' | 'after' | undefined

/** A new empty folder, by its real path. */
export function emptyFolder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-source-')))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A store in miniature for one source: events by id, the cursor in the same step, state that outlives the process. */
export function createKeeper(declaration: SourceDeclaration, options: Record<string, unknown>) {
  const events: SourceEvent[] = []
  const ids = new Set<string>()
  const { state } = createSourceContext()
  const log = recordingLog()
  let cursor: string | undefined
  let duplicates = 0

  const commit = (batch: SourceBatch): void => {
    for (const event of batch.events) {
      if (ids.has(event.id)) duplicates++
      else events.push(event)
      ids.add(event.id)
    }
    cursor = batch.cursor ?? cursor
  }
  /** Runs the source until `stop`, in real time, but without waits of more than 100 ms. */
  const start = ({ dies, ...other }: { readonly dies?: Death; readonly [option: string]: unknown } = {}) => {
    const controller = new AbortController()
    const context = createSourceContext({ signal: controller.signal, state, log, longestSleepMs: 100 })
    const checked = declaration.options.parse({ ...options, ...other })
    const source = declaration.create(checked, { directory: '/', platform: nodePlatform })
    const batches = source.read(cursor, context)[Symbol.asyncIterator]()
    const ended = (async () => {
      for (let n = 0; ; n++) {
        const next = await batches.next()
        if (next.done === true) return
        const death = dies?.(next.value, n)
        if (death !== 'before') commit(next.value)
        if (death === undefined) continue
        await batches.return?.()
        return
      }
    })()
    // A failure is for the test that awaits it.
    ended.catch(() => undefined)
    onTestFinished(() => controller.abort())
    return {
      ended,
      async stop() {
        controller.abort()
        await ended
      },
    }
  }
  return {
    events,
    log,
    start,
    duplicates: () => duplicates,
    /** `file.created a.txt`, in order. */
    told: () => events.map(({ type, subject }) => `${type} ${subject}`),
    data: () => events.map(({ data }) => data),
    clear: () => void events.splice(0),
    cursor: () => cursor,
    setCursor(value: string) {
      cursor = value
    },
  }
}

/** Waits for what a test expects; patient enough for a busy machine. */
export const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 15_000, interval: 10 })

/** Long enough for anything that is on its way to arrive: several looks. */
export const afterSomeLooks = () => new Promise((resolve) => setTimeout(resolve, 300))
