import type { EventInput, EventRecord } from '../../core/event.ts'
import type { StreamEvent } from '../../plugin/store.ts'
import type { PublishResult } from '../api.ts'
import type { Snapshots } from './snapshots.ts'

/** An event to append to a stream, whose name is its subject. */
export type StreamEventInput<Data = unknown> = Omit<EventInput<Data>, 'subject'>

/** The version that a stream must be at (0: it does not exist), or `any`. */
export type ExpectedVersion = number | 'any'

export interface AppendOptions {
  readonly expect: ExpectedVersion
}

/** What came of an append. */
export interface Appended {
  /** The version of the stream after the last of these events. */
  readonly version: number
  /** One for each event, in order: all of them `stored`, or all of them `duplicate` when an earlier append stored them. */
  readonly results: readonly PublishResult[]
}

/** A point in the life of a stream: a version, itself included, or a time (RFC 3339): what was appended before it. */
export type Until = { readonly version: number } | { readonly time: string }

export interface ReadStreamOptions {
  /** Only greater versions. Default: 0, from the first event on. */
  readonly after?: number | undefined
  /** At most so many events. Default: all. */
  readonly limit?: number | undefined
  /** Default: to the end. */
  readonly until?: Until | undefined
}

/** Streams: the events of one entity, in order, each with its version. */
export interface StreamDesk {
  /**
   * Appends events to a stream in one commit: all of them or none. Their types must be declared in `streams`.
   * Throws `version-conflict` (with `expected` and `actual` in its facts) when the stream is not at the expected version,
   * `event-invalid` or `schema-mismatch` when one of the events would be refused, `event-conflict` when another event with
   * the same source and id is stored. The same events appended again are answered as `duplicate`, whatever is expected: so an
   * append whose answer was lost can be repeated.
   *
   * @example
   * await pipeline.append('account-7', [{ source: 'bank', id: '1', type: 'account.opened', data: { owner: 'Ada' } }], { expect: 0 })
   */
  append(stream: string, events: readonly StreamEventInput[], options: AppendOptions): Promise<Appended>
  /** As `append` for records already checked (`core/`): the server's door. */
  appendRecords(stream: string, records: readonly EventRecord[], options: AppendOptions): Promise<Appended>
  /**
   * The events of a stream, oldest first, in the newest version of their type. A stream that does not exist has none.
   * Throws `events-removed` (with `oldest`, the first version kept, in its facts) where retention removed what is asked for:
   * events are never left out in silence.
   *
   * @example
   * for await (const { version, event } of pipeline.readStream('account-7')) console.log(version, event.type)
   */
  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<StreamEvent>
  /** The version that a stream is at, or was at then; 0 when it did not exist. */
  streamVersion(stream: string, until?: Until): Promise<number>
  /** What a decider keeps of states that it made: a cache, for `decider`. */
  readonly snapshots: Snapshots
}
