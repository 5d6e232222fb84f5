import type { Event, EventRecord, Sequence } from '../core/event.ts'
import type {
  BatchRow,
  DeadRow,
  DeliveryRow,
  HeldRow,
  HistoryRow,
  KeptRow,
  LedgerRecord,
  LedgerState,
  SuspectMark,
} from '../core/ledger-state.ts'
import type {
  DeadQuery,
  EventPage,
  EventQuery,
  HistoryPage,
  HistoryQuery,
  KeptQuery,
  RowQuery,
} from './store-queries.ts'

export type {
  DeadQuery,
  EventPage,
  EventQuery,
  HistoryPage,
  HistoryQuery,
  KeptQuery,
  RowQuery,
} from './store-queries.ts'

/** What an append's answer promises: on disk (power loss), past this process (kill), or in memory only. */
export const durabilities = ['disk', 'process', 'memory'] as const
export type Durability = (typeof durabilities)[number]

/** The reserved name of the ledger whose `examined` is the frontier that caught-up subscriptions share. */
export const frontierLedger = '*'

/**
 * The one write type. Atomic in itself: all of it or none. A store puts many into one transaction;
 * one that is refused leaves the others untouched.
 */
export interface Commit {
  readonly events?: readonly EventRecord[] | undefined
  /** Parallel to `events`: the stream an event belongs to, for types declared as streams; writes a stream index row. */
  readonly streams?: readonly (string | undefined)[] | undefined
  /**
   * Refuses the commit unless the stream is at this version (0: it does not exist; absent: whatever it is) and every event is
   * new. So what is appended to a stream is appended whole.
   */
  readonly expect?: { readonly stream: string; readonly version?: number | undefined } | undefined
  /** The source's bookmark, stored with the events it covers. */
  readonly cursor?: { readonly source: string; readonly value: string } | undefined
  readonly ledgers?: readonly LedgerChange[] | undefined
}

/** Everything that changes in one ledger. Every part is optional; the epoch fences a former owner. */
export interface LedgerChange {
  readonly subscription: string
  readonly partition: number
  readonly epoch: number
  readonly ledger?: LedgerState | undefined
  /** Open rows to insert or replace, by sequence. */
  readonly put?: readonly DeliveryRow[] | undefined
  /** Open rows that are gone. */
  readonly remove?: readonly Sequence[] | undefined
  /** Dead letters to insert or replace, by sequence. */
  readonly bury?: readonly DeadRow[] | undefined
  readonly unbury?: readonly Sequence[] | undefined
  readonly hold?: readonly HeldRow[] | undefined
  /** Batches of pull clients to insert or replace, by name. */
  readonly batches?: readonly BatchRow[] | undefined
  /** Values of stages to insert, replace or remove, by stage and key. */
  readonly kept?: readonly KeptRow[] | undefined
  /** Batches that are forgotten. */
  readonly endBatches?: readonly string[] | undefined
  readonly history?: readonly HistoryRow[] | undefined
  /** The suspect mark; null clears it (a clean stop). */
  readonly mark?: SuspectMark | null | undefined
}

export type CommitResult =
  | {
      readonly kind: 'ok'
      readonly events: readonly AppendResult[]
      readonly durability: Durability
      /** With `expect`: the version of its stream after this commit. */
      readonly version?: number | undefined
    }
  | {
      readonly kind: 'refused'
      /** `expect`: the stream is at another version; `known`: a stream is expected, and an event is there already. */
      readonly reason: 'stale-epoch' | 'expect' | 'known'
      readonly detail: string
      /** For `expect`: the version that the stream is at. */
      readonly version?: number | undefined
    }

/** An event of a stream with its place there: the first one has version 1. */
export interface StreamEvent {
  readonly version: number
  readonly event: Event
}

/** Events of a stream, and how far it went when they were read. */
export interface StreamPage {
  /** Counts every event that was ever appended to it; 0 when it does not exist. */
  readonly version: number
  /** In order of version. What retention removed is left out: then the first one does not follow what was asked for. */
  readonly events: readonly StreamEvent[]
}

/** `duplicate` and `conflict` carry the sequence of the event that is there. */
export interface AppendResult {
  readonly status: 'stored' | 'duplicate' | 'conflict'
  readonly sequence: Sequence
}

/** What retention may remove. Policy (which sequence, which time) is decided by the caller. */
export interface Prune {
  /** Remove events at or below this sequence, a slice at a time. */
  readonly events?: Sequence | undefined
  /** Forget (source, id) of events appended before this time. */
  readonly dedupBeforeMs?: number | undefined
  /** Remove history settled before this time; counts are folded into `historyBase`. */
  readonly historyBeforeMs?: number | undefined
}

export interface StoreSize {
  readonly events: number
  /** Bytes in use on disk (0 for memory). */
  readonly bytes: number
  readonly oldest: Sequence
  readonly head: Sequence
  /** Append time of the oldest kept event. */
  readonly oldestAt?: number | undefined
}

export interface VerifyReport {
  readonly ok: boolean
  readonly events: number
  /** What is wrong, for people, bounded in number. */
  readonly problems: readonly string[]
}

/**
 * Where log, cursors and ledgers live. One process owns it (or, later, a partition of it).
 * Every method takes batches and is asynchronous; none contains policy.
 * A rejected promise means the answer is unknown or the store failed: an `AppError` with code
 * `store-indeterminate` when a write may or may not be there, `store-full`, `store-readonly`, `store-closed`, `store-corrupt` otherwise.
 */
export interface Store {
  /** The plug-in's name: `memory`, `sqlite`, … */
  readonly type: string
  /** Random id minted when the store was created or restored: positions of another incarnation mean nothing here. */
  readonly incarnation: string
  /** What a resolved commit promises. */
  readonly durability: Durability
  readonly capabilities: {
    /** `commit`: everything of a Commit at once. `rows-then-floor`: rows first, then the ledger's small row. */
    readonly atomic: 'commit' | 'rows-then-floor'
    /** False when nothing survives the process. */
    readonly isPersistent: boolean
  }

  /** The newest sequence a reader may see; 0 when there was never an event. Synchronous and cheap. */
  head(): Sequence
  /** The oldest sequence still kept; head + 1 when none is. Synchronous and cheap. */
  oldest(): Sequence

  /**
   * Writes. Called often and concurrently; the store gathers neighbours into one transaction (group commit) and
   * resolves after the sync that its durability promises. Results are in order. Deduplicates on (source, id) and says
   * `conflict` when the content differs (`core/content.ts`). Not its job: validation, schema, limits, notification.
   */
  commit(commits: readonly Commit[]): Promise<readonly CommitResult[]>

  /** Persists a suspect mark without a sync: it must survive a kill, not a power cut. */
  mark(subscription: string, partition: number, epoch: number, mark: SuspectMark | null): Promise<void>

  /** Events after a sequence in order, at most `limit`, fewer when they are large. Empty only when there are none. Served from memory when recent. */
  read(after: Sequence, limit: number): Promise<readonly Event[]>
  /** The events with these sequences that are still kept, in order of sequence. */
  readMany(sequences: readonly Sequence[]): Promise<readonly Event[]>
  /** The sequence stored for (source, id), also after retention removed the row, within the deduplication horizon. */
  find(source: string, id: string): Promise<Sequence | undefined>
  /** Sequence of the first event appended at or after a time; head + 1 when there is none. */
  sequenceAt(timeMs: number): Promise<Sequence>
  query(query: EventQuery): Promise<EventPage>
  /** Events of a stream after a version: at most `limit`, fewer when they are large, none only when none are kept. */
  readStream(stream: string, afterVersion: number, limit: number): Promise<StreamPage>
  /**
   * The version that a stream was at when the log was at a sequence: how many events at or below it are in the stream.
   * Undefined when retention removed what tells it; never for a sequence from the last removed one on.
   */
  versionAt(stream: string, sequence: Sequence): Promise<number | undefined>

  /**
   * Takes ownership of a ledger: creates it from `initial` when it is not there, raises the epoch, and answers what is stored.
   * Called once per subscription at start. Writes with an older epoch are refused from then on.
   */
  openLedger(subscription: string, partition: number, owner: string, initial: LedgerState): Promise<LedgerRecord>
  /** As `openLedger`, for many at once. */
  openLedgers(
    wanted: readonly { readonly subscription: string; readonly partition: number; readonly initial: LedgerState }[],
    owner: string,
  ): Promise<readonly LedgerRecord[]>
  /** Every ledger that is stored, the frontier's included. */
  ledgers(): Promise<readonly LedgerRecord[]>
  /** Forgets a subscription: ledger, rows, dead letters, history. */
  dropLedger(subscription: string): Promise<void>
  /**
   * Gives the ledger of `by`, with all that hangs on it, the name of another one, whose own is forgotten: in one step, so that
   * everybody sees the one or the other, also after a crash. Takes ownership as `openLedger` does: no former owner of the two
   * writes any more. Throws `state-conflict` when `by` has no ledger. Costs the same however much hangs on them.
   */
  replaceLedger(subscription: string, by: string, owner: string): Promise<LedgerRecord>

  rows(subscription: string, query: RowQuery): Promise<readonly DeliveryRow[]>
  /** Due time of the next `waiting` or `leased` row; undefined when there is none. */
  nextDue(subscription: string): Promise<number | undefined>
  held(subscription: string): Promise<readonly HeldRow[]>
  /**
   * Values that stages keep: by key in no particular order, in order of key, or in order of due time. In order of key they
   * may be fewer than asked for when they are large; none only when there are no more.
   */
  kept(subscription: string, query: KeptQuery): Promise<readonly KeptRow[]>
  /** The stages that keep values, in order of name. */
  keptStages(subscription: string): Promise<readonly string[]>
  /** What is remembered of the batches of pull clients, in no particular order. */
  batches(subscription: string): Promise<readonly BatchRow[]>
  dead(subscription: string, query: DeadQuery): Promise<readonly DeadRow[]>
  history(subscription: string, query: HistoryQuery): Promise<HistoryPage>
  /** Settled counts of history that was pruned: state → count. */
  historyBase(subscription: string): Promise<Readonly<Record<string, number>>>

  /** The stored bookmark of a source. */
  cursor(source: string): Promise<string | undefined>
  /** A private key and value space per source. Values are text. */
  readonly state: {
    get(source: string, key: string): Promise<string | undefined>
    set(source: string, key: string, value: string): Promise<void>
    /** Removes one key; without a key, all of the source. */
    delete(source: string, key?: string): Promise<void>
    deleteOlderThan(source: string, timeMs: number): Promise<number>
    list(source: string, prefix?: string): Promise<readonly { readonly key: string; readonly value: string }[]>
  }

  /** Resolves when head() > after, or when the signal aborts. */
  wait(after: Sequence, signal: AbortSignal): Promise<void>

  prune(what: Prune): Promise<{ readonly events: number; readonly dedup: number; readonly history: number }>
  size(): Promise<StoreSize>
  /** A consistent copy of a running store in a new file. The copy is a new incarnation when it is opened. */
  backup(path: string, onProgress?: (done: number, total: number) => void): Promise<void>
  /** Reads everything: structure, checksums, contiguous sequences. */
  verify(onProgress?: (done: number, total: number) => void): Promise<VerifyReport>
  /** Throws when a write would fail now (for `/readyz`). */
  checkWritable(): Promise<void>
  /** Finishes what was handed in, releases the lock. May be called again. */
  close(): Promise<void>
}
