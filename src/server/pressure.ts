import { AppError } from '../core/errors.ts'

/** What is being taken in right now, bounded: beyond it a publisher is told to wait (G28). */
export interface Budget {
  readonly requests: number
  readonly bytes: number
  /** A request begins; throws `overloaded` when too many are under way. */
  enter(): void
  /** That many bytes more of a body are held; throws `overloaded` without counting them. */
  hold(bytes: number): void
  /** The request is answered, and what it held is free. */
  leave(heldBytes: number): void
}

export function createBudget(maxRequests: number, maxBytes: number): Budget {
  let requests = 0
  let bytes = 0
  return {
    get requests() {
      return requests
    },
    get bytes() {
      return bytes
    },
    enter() {
      if (requests >= maxRequests) {
        throw new AppError('overloaded', `${requests} requests are being stored already: try again in a second`)
      }
      requests += 1
    },
    hold(more) {
      if (bytes + more > maxBytes) {
        throw new AppError('overloaded', `${bytes} bytes are waiting to be stored already: try again in a second`)
      }
      bytes += more
    },
    leave(held) {
      requests -= 1
      bytes -= held
    },
  }
}

/** So many requests a second, and so many at once after a pause. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** Counts a request of a caller; throws `rate-limited`. `own` is the caller's rate in place of the general one. */
export type RateLimit = (caller: string, own?: Rate) => void

/**
 * A token bucket per caller, for at most `maxCallers` callers: the one unseen for longest is forgotten first (SEC-35).
 * Without a general rate only callers with one of their own are limited.
 */
export function createRateLimit(general: Rate | undefined, nowMs: () => number, maxCallers = 10_000): RateLimit {
  const buckets = new Map<string, { level: number; at: number }>()
  return (caller, own) => {
    const rate = own ?? general
    if (rate === undefined) return
    const now = nowMs()
    const bucket = buckets.get(caller) ?? { level: rate.burst, at: now }
    bucket.level = Math.min(rate.burst, bucket.level + ((now - bucket.at) / 1_000) * rate.perSecond)
    bucket.at = now
    buckets.delete(caller)
    buckets.set(caller, bucket)
    if (buckets.size > maxCallers) buckets.delete(buckets.keys().next().value as string)
    if (bucket.level < 1) {
      const retryAfterSeconds = Math.max(1, Math.ceil((1 - bucket.level) / rate.perSecond))
      const message = `more than ${shown(rate)}: try again in ${retryAfterSeconds} s`
      throw new AppError('rate-limited', message, { facts: { retryAfterSeconds } })
    }
    bucket.level -= 1
  }
}

function shown({ perSecond }: Rate): string {
  return perSecond >= 1
    ? `${+perSecond.toFixed(1)} requests a second`
    : `${+(perSecond * 3_600).toFixed(1)} requests an hour`
}

/** A rate as it is configured: what fits into its window may come at once. */
export function rateOf(written: { readonly perSecond: number; readonly count: number } | undefined): Rate | undefined {
  return written === undefined ? undefined : { perSecond: written.perSecond, burst: Math.max(1, written.count) }
}
