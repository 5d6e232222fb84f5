import type { Json, Sequence } from '../core/event.ts'

/** What a stage keeps under one key. */
export interface StateEntry<Value = Json> {
  readonly key: string
  readonly value: Value
  /** When the stage is called for it, RFC 3339. */
  readonly dueAt?: string | undefined
}

export interface StatePage<Value = Json> {
  readonly entries: readonly StateEntry<Value>[]
  /** Pass as `after` for the next page; absent at the end. */
  readonly next?: string | undefined
}

export interface StateListOptions {
  /** Only keys after this one, in the order of code points. */
  readonly after?: string | undefined
  /** At most this many, 1 to 1,000. Default: 100. */
  readonly limit?: number | undefined
  /** Only keys that begin with this. */
  readonly prefix?: string | undefined
}

/** A moment in the log: after the event of a sequence, or a time (RFC 3339), when all that were appended before it are in. */
export type Moment = { readonly sequence: Sequence } | { readonly time: string }

export interface StateAtOptions {
  /** True: also where the log no longer has what the state began with; then it is another state than it was. */
  readonly force?: boolean | undefined
  /** Aborted: the work is given up. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads what one stage of a subscription keeps, as it is stored: everything that was settled when the call began is in it.
 * What the subscription has not worked off yet is not (`lag` and `open` in its status).
 */
export interface StateReader<Value = Json> {
  readonly subscription: string
  readonly stage: string
  /** Undefined when nothing is kept under the key. */
  get(key: string): Promise<Value | undefined>
  /** In order of key, a page at a time. */
  list(options?: StateListOptions): Promise<StatePage<Value>>
  /** All of it, page by page; what changes meanwhile may or may not be seen. */
  entries(options?: Pick<StateListOptions, 'prefix'>): AsyncIterable<StateEntry<Value>>
  /** Resolves when every event up to this one is settled, so that what is read then has it. Throws when that cannot be. */
  settled(sequence: Sequence, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /**
   * What was kept under a key at a moment: folded again from the log, by the code of now. Only for a projection. It costs
   * reading the log up to there; nothing is stored.
   */
  at(moment: Moment, key: string, options?: StateAtOptions): Promise<Value | undefined>
  /** The same of every key, at most 100,000 of them. */
  allAt(moment: Moment, options?: StateAtOptions): Promise<ReadonlyMap<string, Value>>
}

/** Something that has state to read: a pipeline. */
export interface HasState {
  /** `stage` may be left out where one stage keeps something. */
  state<Value = Json>(subscription: string, stage?: string): StateReader<Value>
}
