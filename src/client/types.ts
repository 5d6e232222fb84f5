import type { EventInput } from '../core/event.ts'

/** An event as it is handed to the client: its id is made where it has none, its source may be that of the client. */
export type ClientEvent<Events> = {
  [Type in keyof Events & string]: Omit<EventInput<Events[Type]>, 'id' | 'source' | 'type' | 'data'> & {
    readonly type: Type
    readonly id?: string | undefined
    readonly source?: string | undefined
  } & (undefined extends Events[Type] ? { readonly data?: Events[Type] } : { readonly data: Events[Type] })
}[keyof Events & string]

/**
 * What became of an event. `buffered`: it is on this machine's disk and is sent as soon as the server is back.
 * `dropped`: the server was away, and it is gone. The others are the server's answer.
 */
export type PublishStatus =
  | 'stored'
  | 'duplicate'
  | 'conflict'
  | 'quarantined'
  | 'refused'
  | 'buffered'
  | 'dropped'
  /** Only in the facts of an error: nobody knows whether it is stored. Publishing it again with the same id is safe. */
  | 'unknown'

export interface PublishResult {
  readonly id: string
  readonly source: string
  readonly status: PublishStatus
  readonly sequence?: number | undefined
  /** What the server's answer promises: `disk`, `process` or `memory`. */
  readonly durability?: string | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

/** What happens to events while the server cannot take them. */
export const unavailableModes = ['throw', 'drop', 'buffer'] as const
export type UnavailableMode = (typeof unavailableModes)[number]

/** The little of `fetch` that the client uses. */
export type Fetch = (
  url: string,
  init: {
    readonly method: 'POST'
    readonly headers: Record<string, string>
    readonly body: string
    readonly signal: AbortSignal
    readonly redirect: 'manual'
  },
) => Promise<{
  readonly status: number
  readonly headers: { get(name: string): string | null }
  text(): Promise<string>
}>

export interface ClientOptions {
  /** Where the server is, for example `https://events.example`; with the path that a handler is mounted at. */
  readonly url: string
  /** A token with the scope `ingest`. */
  readonly token?: string | undefined
  /** The source of events that name none. */
  readonly source?: string | undefined
  /** `throw` (default): publish rejects. `drop`: it resolves with `dropped`. `buffer`: it resolves with `buffered`. */
  readonly onUnavailable?: UnavailableMode | undefined
  /** The file of `onUnavailable: 'buffer'`. One process at a time may have it. */
  readonly buffer?: BufferOptions | undefined
  /** Events per request, at most, and how long to wait for more before one is sent. Default: 500 and `0ms`. */
  readonly batch?: { readonly size?: number | undefined; readonly wait?: string | undefined } | undefined
  /** How long one request may take. Default: `10s`. */
  readonly timeout?: string | undefined
  /** Waits between attempts: `first` doubles up to `most`. After `giveUpAfter` an event is thrown or dropped. */
  readonly retry?:
    | {
        /** Default: `200ms`. */
        readonly first?: string | undefined
        /** Default: `10s`. */
        readonly most?: string | undefined
        /** Default: `30s`. Not for buffered events, which wait for as long as it takes. */
        readonly giveUpAfter?: string | undefined
      }
    | undefined
  /** Events in memory that wait to be sent, at most; beyond it publish throws `overloaded`, or drops. Default: 10,000. */
  readonly maxWaiting?: number | undefined
  /** In place of the global `fetch`. */
  readonly fetch?: Fetch | undefined
  /** Told what became of buffered events, in their order, when the server has answered. */
  readonly onReplayed?: ((results: readonly PublishResult[]) => void) | undefined
}

export interface BufferOptions {
  readonly path: string
  /** What it may hold. Default: 64 MiB. */
  readonly maxBytes?: number | undefined
  /** When it is full: `throw` (default) or `drop`. */
  readonly whenFull?: 'throw' | 'drop' | undefined
}

/**
 * Counts since the client was made. They add up: `published + recovered` is the sum of `stored`, `duplicates`,
 * `conflicts`, `quarantined`, `refused`, `dropped`, `failed`, `damaged`, `waiting` and `inBuffer.events`.
 */
export interface ClientStats {
  /** Events given to publish. */
  readonly published: number
  /** Events that the buffer held when it was opened. */
  readonly recovered: number
  /** Events that the server has: the next four together. */
  readonly sent: number
  readonly stored: number
  readonly duplicates: number
  readonly conflicts: number
  readonly quarantined: number
  /** Not valid, by the server's word or by the check here. */
  readonly refused: number
  /** Events that went into the buffer. */
  readonly buffered: number
  readonly dropped: number
  /** Events whose publish threw. */
  readonly failed: number
  /** Events sent once more, because an attempt brought no answer. */
  readonly retried: number
  /** Lines of the buffer that could not be read. */
  readonly damaged: number
  /** Events in memory that have no answer yet. */
  readonly waiting: number
  readonly inBuffer: { readonly events: number; readonly bytes: number }
  /** Why the last attempt failed; gone after the next that succeeds. */
  readonly lastError?: string | undefined
}

/** Publishes events to a Millrace server. */
export interface Client<Events = Record<string, unknown>> {
  /**
   * Resolves when the server has stored the event, or with what `onUnavailable` says. An event that is not valid throws
   * `event-invalid`; a server that cannot be reached throws `server-unreachable` under `throw`.
   */
  publish(event: ClientEvent<Events>): Promise<PublishResult>
  /** Many: one result each, in order. One that is not valid is `refused` in its place. */
  publish(events: readonly ClientEvent<Events>[]): Promise<readonly PublishResult[]>
  /** True when nothing waits any more, in memory or in the buffer; false when that took longer. Default: 30 s. */
  flush(options?: { readonly deadline?: string | undefined }): Promise<boolean>
  stats(): ClientStats
  /** Takes nothing more, sends what waits in memory until the deadline (5 s), and closes. The buffer stays for the next start. */
  close(options?: { readonly deadline?: string | undefined }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
