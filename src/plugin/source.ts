import type { EventInput, Json } from '../core/event.ts'
import type { Clock, Log } from '../core/platform.ts'
import type { AppendResult } from './store.ts'

/** What a source, stage or sink may use of its surroundings. */
export interface PluginContext {
  /** The name it was given in the configuration. */
  readonly name: string
  readonly log: Log
  readonly clock: Clock
  /** Aborted when the pipeline stops; everything it waits for must end then. */
  readonly signal: AbortSignal
}

/** What came of one event of a batch, in the order it was given. */
export type IngestResult =
  | { readonly source: string; readonly id: string; readonly status: AppendResult['status']; readonly sequence: number }
  | {
      readonly source: string
      readonly id: string
      readonly status: 'refused'
      readonly error: { readonly code: string; readonly message: string }
    }

/** What changed in the outside system, and the bookmark that goes with it: both are stored in one commit. */
export interface SourceBatch {
  /** `source` defaults to the configured name. */
  readonly events: readonly (Omit<EventInput, 'source'> & { readonly source?: string | undefined })[]
  /** Where to go on after a restart. Absent: the stored one stays. */
  readonly cursor?: string | undefined
  /** Called after the commit, once: acknowledge upstream, move a file. An error is logged and does not undo the commit. */
  settled?(results: readonly IngestResult[]): void | Promise<void>
}

export interface SourceContext extends PluginContext {
  /** A private key and value space that survives restarts. */
  readonly state: {
    get(key: string): Promise<string | undefined>
    set(key: string, value: string): Promise<void>
    delete(key?: string): Promise<void>
    deleteOlderThan(timeMs: number): Promise<number>
    list(prefix?: string): Promise<readonly { readonly key: string; readonly value: string }[]>
  }
  /** Waits, or ends early (false) when the pipeline stops. */
  sleep(ms: number): Promise<boolean>
}

/**
 * Brings events in. The runtime calls `read` once with the stored cursor and pulls: the next batch is asked for only after
 * the previous one is committed, so a slow disk slows the source. When the iterable ends, the source is finished. When it
 * throws, the runtime starts it again from the stored cursor after a growing pause, and shows it in health.
 * Not its job: deduplication, retrying a commit, storing the cursor.
 */
export interface Source {
  read(cursor: string | undefined, context: SourceContext): AsyncIterable<SourceBatch>
  /** Called once at the end, also after an error. */
  close?(): void | Promise<void>
}

/** Types beginning with `millrace.` belong to the engine. */
export type SourceOptions = Readonly<Record<string, Json>>
