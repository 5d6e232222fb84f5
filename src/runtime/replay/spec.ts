import { parseRate } from '../../core/duration.ts'
import { replayLedger } from '../../core/replay-name.ts'
import type { Lane } from '../lane.ts'
import type { SubscriptionSpec } from '../setup.ts'
import { createReader } from './reader.ts'
import { selectionOf } from './selection.ts'
import type { StoredReplay } from './stored.ts'

/** Deliveries in memory, and remembered in rows: a replay can wait, and what it waits with must stay small. */
const window = 256
const maxOpen = 10_000

/**
 * The lane of a replay: the subscription's stages, sink and policy as they are now, under a name of its own. Every selected
 * event is delivered, so nothing is coalesced. It takes half of the subscription's concurrency, and always one.
 */
export function replaySpec(base: SubscriptionSpec, job: StoredReplay, live: Lane | undefined): SubscriptionSpec {
  const { policy } = base
  const parsed = parseRate(job.rate)
  const rate = parsed.ok ? parsed : policy.rate
  // A call with more than that at once would be no rate.
  const batch = Math.min(base.batch, Math.max(1, Math.floor(rate?.perSecond ?? base.batch)))
  const read = createReader(selectionOf(base, job), job.to)
  return {
    ...base,
    isPaused: false,
    batch,
    policy: {
      ...policy,
      name: replayLedger(job.subscription, job.id),
      // The reader shows it only what is wanted.
      where: undefined,
      coalesce: undefined,
      ttl: job.ttl === 'keep' ? policy.ttl : undefined,
      rate,
      concurrency: Math.max(1, Math.floor(policy.concurrency / 2)),
      start: { kind: 'sequence', sequence: job.from },
      window: Math.max(Math.min(policy.window, window), 2 * batch),
      maxOpen: Math.min(policy.maxOpen, maxOpen),
    },
    createSink: () => (base.isSinkSingle === true ? borrowed(live) : base.createSink()),
    replay: { id: job.id, subscription: job.subscription, to: job.to, read },
  }
}

/** What the far side is must not be opened twice: the replay sends through the sink of live traffic, which opens and closes it. */
function borrowed(live: Lane | undefined): ReturnType<SubscriptionSpec['createSink']> {
  const sink = live?.setup.sink
  return (
    sink && { abortGraceMs: sink.abortGraceMs, deliver: (deliveries, context) => sink.deliver(deliveries, context) }
  )
}
