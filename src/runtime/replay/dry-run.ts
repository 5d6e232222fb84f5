import { AppError } from '../../core/errors.ts'
import type { Event } from '../../core/event.ts'
import type { Platform } from '../../core/platform.ts'
import { type TtlPolicy, ttlOf } from '../../core/ttl.ts'
import type { Store } from '../../plugin/store.ts'
import type { ReplayDryRun, ReplayOptions } from './face.ts'
import type { Range } from './range.ts'
import { type Replayed, scan, selectionOf } from './selection.ts'

const sampleSize = 10
const pageSize = 1000
/** How long one dry run counts before it answers what it has. */
const longestMs = 60_000

/** Counts what a replay would deliver, page by page by the same selection, and rests as long as it works. */
export async function dryRun(
  { store, platform }: { readonly store: Store; readonly platform: Platform },
  replayed: Replayed,
  options: ReplayOptions,
  range: Range,
  signal: AbortSignal | undefined,
): Promise<ReplayDryRun> {
  const { clock } = platform
  const { policy } = replayed
  const selection = selectionOf(replayed, options)
  const until = clock.monotonic() + longestMs
  const sample: Event[] = []
  let [count, expired, at] = [0, 0, range.from - 1]
  while (at < range.to && clock.monotonic() < until) {
    if (signal?.aborted === true) throw new AppError('stopping', `the dry run for ${policy.name} was given up`)
    const began = clock.monotonic()
    const { events, upTo } = await scan(store, selection, at, range.to, pageSize)
    count += events.length
    if (policy.ttl !== undefined) expired += tooOld(events, policy.ttl, clock.now())
    sample.push(...events.slice(0, sampleSize - sample.length))
    at = upTo
    await new Promise<void>((resolve) => platform.after(clock.monotonic() - began, resolve))
  }
  return {
    subscription: policy.name,
    ...range,
    count,
    expired,
    sample,
    ...(at < range.to && { next: at + 1 }),
  }
}

function tooOld(events: readonly Event[], ttl: TtlPolicy, nowMs: number): number {
  return events.filter(({ type, record }) => {
    const ms = ttlOf(ttl, type)
    return ms !== undefined && record.appendedAt + ms <= nowMs
  }).length
}
