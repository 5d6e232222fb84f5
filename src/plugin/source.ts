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

/** What came of one event of a batch, in the order it was given. Sequence 0: kept safely, and waiting by a rule of `debounce`. */
export type IngestResult =
  | { readonly source: string; readonly id: string; readonly status: AppendResult['status']; readonly sequence: number }
  | {
      readonly source: string
      readonly id: string
      /** It does not fit the schema of its type: the sequence is that of the `millrace.quarantined` that holds it. */
      readonly status: 'quarantined'
      readonly sequence: number
      readonly error: { readonly code: string; readonly message: string }
    }
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
  /** True: stored whole or not at all. One event that is not valid fails the read, and the cursor stays. Absent: it alone is refused. */
  readonly isWhole?: boolean | undefined
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

/** A request from outside to a source that receives, as it came. */
export interface ReceivedRequest {
  readonly method: string
  /** What follows the `?`; empty without one. */
  readonly query: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** The very bytes, which is what signatures cover. */
  readonly body: Uint8Array
}

/** An event of a request. `dataText` is the data as the sender wrote it, valid JSON; it then stands for `data`. */
export type ReceivedEvent = SourceBatch['events'][number] & { readonly dataText?: string | undefined }

/** What a source makes of a request. */
export type Received =
  | { readonly kind: 'events'; readonly events: readonly ReceivedEvent[] }
  /** Nothing to store: a handshake that wants this text back. */
  | { readonly kind: 'answer'; readonly text: string }
  /** The sender is not who it should be. It is told nothing more. */
  | { readonly kind: 'unauthorized' }
  | {
      readonly kind: 'refused'
      readonly code: 'body-malformed' | 'content-type-unsupported' | 'event-invalid'
      readonly message: string
    }

/**
 * Brings events in. The runtime calls `read` once with the stored cursor and pulls: the next batch is asked for only after
 * the previous one is committed, so a slow disk slows the source. When the iterable ends, the source is finished. When it
 * throws, the runtime starts it again from the stored cursor after a growing pause, and shows it in health.
 * Not its job: deduplication, retrying a commit, storing the cursor.
 */
export interface Source {
  read(cursor: string | undefined, context: SourceContext): AsyncIterable<SourceBatch>
  /**
   * Called for each request to `/in/{name}` when the declaration says `receives`; authenticating the sender is its job.
   * The events are committed before the sender is answered. An error is a fault of the source and answered 500.
   */
  receive?(request: ReceivedRequest, context: PluginContext): Received
  /** Called once at the end, also after an error. */
  close?(): void | Promise<void>
}

/** Types beginning with `millrace.` belong to the engine. */
export type SourceOptions = Readonly<Record<string, Json>>
