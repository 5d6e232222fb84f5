import { defineSource, type SourceDeclaration, type Use } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { SourceBatch } from '../plugin/source.ts'

export interface ScriptedSourceOptions {
  /** What it yields, in order. A batch without a cursor gets its number, counted from 1. */
  readonly batches?: readonly SourceBatch[] | undefined
  /** Throws once each, just before the batch with this number (from 1) would be yielded. */
  readonly failsBefore?: readonly number[] | undefined
  /** Ends after the last batch instead of waiting for more. */
  readonly ends?: boolean | undefined
}

/** A source to put into a pipeline, which follows a script and remembers how it was read. */
export interface ScriptedSource extends Use<SourceDeclaration> {
  /** Adds a batch to the script; a reader that waits gets it. */
  push(batch: SourceBatch): void
  /** The cursors with which it was read, one per start. */
  readonly reads: readonly (string | undefined)[]
  readonly life: { readonly yielded: number; readonly closed: number }
}

/** A source for tests: the outside system is the script, and the cursor is how far it was read. */
export function scriptedSource(options: ScriptedSourceOptions = {}): ScriptedSource {
  const script = (options.batches ?? []).map(withCursor)
  const fails = new Set(options.failsBefore)
  const reads: (string | undefined)[] = []
  const life = { yielded: 0, closed: 0 }
  const readers = new Set<() => void>()

  const more = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const end = () => {
        readers.delete(end)
        signal.removeEventListener('abort', end)
        resolve()
      }
      readers.add(end)
      signal.addEventListener('abort', end)
    })
  async function* read(cursor: string | undefined, signal: AbortSignal): AsyncIterable<SourceBatch> {
    reads.push(cursor)
    // A cursor of the script's own is a place in it; an unknown one starts from the beginning, as a lost bookmark would.
    let next = script.findIndex((batch) => batch.cursor === cursor) + 1
    while (!signal.aborted) {
      const batch = script[next]
      if (batch === undefined) {
        if (options.ends === true) return
        await more(signal)
        continue
      }
      next++
      if (fails.delete(next)) throw new Error(`the script fails before batch ${next}`)
      life.yielded++
      yield batch
    }
  }
  const definition = defineSource({
    name: 'scripted',
    summary: 'Yields what a test wrote down.',
    options: schema.strictObject({}).optional(),
    example: {},
    create: () => ({
      read: (cursor, { signal }) => read(cursor, signal),
      close() {
        life.closed++
      },
    }),
  })
  return {
    ...definition(),
    push(batch) {
      script.push(withCursor(batch, script.length))
      for (const wake of [...readers]) wake()
    },
    reads,
    life,
  }
}

const withCursor = (batch: SourceBatch, index: number): SourceBatch => ({ cursor: String(index + 1), ...batch })
