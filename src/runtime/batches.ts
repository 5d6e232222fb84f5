import type { Event, Sequence } from '../core/event.ts'
import type { Payload } from '../core/payload.ts'

/** What a client asks of a fetch; the sink's options stand for what it leaves out. */
export interface FetchOptions {
  /** At most this many events (1 to 10,000). */
  readonly limit?: number | undefined
  /** How long to wait for the first one. */
  readonly waitMs?: number | undefined
  /** How long the batch is the client's; 0: not at all, and batches overlap. */
  readonly leaseMs?: number | undefined
  /** Aborted when nobody waits any more: then nothing is leased. */
  readonly signal?: AbortSignal | undefined
}

/** A batch on its way to a client; its lease is stored. */
export interface FetchedBatch {
  readonly batch: string
  readonly receipt: string
  /** In order of sequence. */
  readonly events: readonly Event[]
  /** What of them is sent; undefined: everything. */
  readonly payload: Payload | undefined
  /** How often each was offered, this time included; parallel to `events`. */
  readonly deliveryCounts: readonly number[]
  /** Deliveries that wait for a client, up to 10,000. */
  readonly remaining: number
  /** Wall time, milliseconds since 1970. */
  readonly deadline: number
}

/** What of a batch a call is about. */
export interface BatchReceipt {
  readonly receipt: string
  /** Undefined: all of the batch. */
  readonly sequences?: readonly Sequence[] | undefined
}

/**
 * What clients do with a subscription whose sink they fetch batches from. Every answer comes after what it says is stored.
 * All but `fetchBatch` throw `batch-unknown` and `receipt-stale`, and then did nothing.
 */
export interface Batches {
  /** The next batch; undefined when nothing came in time. */
  fetchBatch(options?: FetchOptions): Promise<FetchedBatch | undefined>
  /** Settles a batch, or some of it, as delivered. The same again changes nothing. */
  confirm(batch: string, call: BatchReceipt): Promise<{ readonly confirmed: number }>
  /** Gives events back, to be offered again at once or after a delay. */
  release(
    batch: string,
    call: BatchReceipt & { readonly delayMs?: number | undefined },
  ): Promise<{ readonly released: number }>
  /** Moves the deadline to so long from now; the sink's lease when nothing is said. */
  extend(
    batch: string,
    call: { readonly receipt: string; readonly leaseMs?: number | undefined },
  ): Promise<{ readonly extended: number; readonly deadline: number }>
}
