import { type Sequence, timeText } from '../core/event.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { Store } from '../plugin/store.ts'
import type { SubscriptionState, SubscriptionStatus } from './api.ts'
import type { Lane } from './lane.ts'
import { isDamage } from './unreadable.ts'

/** What only the store knows about a lane, as of the last look. */
export interface Observed {
  readonly lowestRow: Sequence | undefined
  /** Append time of the oldest event that is open or not yet examined. */
  readonly oldestAt: number | undefined
}

/** Looks at what a status needs from the store. */
export async function observe(store: Store, lane: Lane, lowestRow: Sequence | undefined): Promise<Observed> {
  const floor = lane.ledger.floor(lane.examined, lowestRow)
  if (floor >= store.head()) return { lowestRow, oldestAt: undefined }
  try {
    const [event] = await store.read(floor, 1)
    return { lowestRow, oldestAt: event?.record.appendedAt }
  } catch (error) {
    // A damaged event has no time that can be believed; what waits for it says so in other places.
    if (isDamage(error)) return { lowestRow, oldestAt: undefined }
    throw error
  }
}

/** A lane as people see it, from the same sets that delivery works on. */
export function laneStatus(
  lane: Lane,
  head: Sequence,
  nowMs: number,
  observed: Observed | undefined,
): SubscriptionStatus {
  const { ledger, examined } = lane
  const books = ledger.books(examined)
  const floor = ledger.floor(examined, observed?.lowestRow)
  const nextDue = lane.due.nextDue
  const isBehind = floor < head
  return {
    name: lane.name,
    state: stateOf(lane),
    reason: lane.frozen ?? ledger.reason,
    sink: lane.setup.sinkName,
    match: lane.policy.match,
    from: lane.policy.from,
    start: ledger.start,
    examined,
    floor,
    head,
    lag: Math.max(0, head - examined),
    open: ledger.open,
    counters: { ...ledger.counters, filtered: books.filtered, dead: books.dead, open: books.open },
    oldestAgeSeconds:
      !isBehind || observed?.oldestAt === undefined ? 0 : Math.max(0, (nowMs - observed.oldestAt) / 1000),
    nextDue: nextDue === undefined ? undefined : timeText(nextDue),
    stages: lane.attempts.stats,
    ...breakerStatus(lane),
    ...foldStatus(lane),
  }
}

function breakerStatus({ gate: { breaker } }: Lane): Pick<SubscriptionStatus, 'breaker'> {
  if (breaker === undefined) return {}
  const { state, failures, openUntil, failingSince } = breaker
  return {
    breaker: {
      state,
      failures,
      openUntil: openUntil === undefined ? undefined : timeText(openUntil),
      failingSince: failingSince === undefined ? undefined : timeText(failingSince),
    },
  }
}

function foldStatus({ name, ledger, around }: Lane): Pick<SubscriptionStatus, 'foldVersion' | 'rebuild'> {
  const rebuild = around.rebuildOf(name)
  return {
    ...(ledger.foldVersion !== undefined && { foldVersion: ledger.foldVersion }),
    ...(rebuild !== undefined && { rebuild }),
  }
}

function stateOf(lane: Lane): SubscriptionState {
  if (lane.frozen !== undefined && lane.ledger.state === 'running') return 'halted'
  return lane.ledger.state === 'running' && lane.isSaturated ? 'saturated' : lane.ledger.state
}

/** A stored ledger that the configuration no longer names: it keeps its place until it is dropped. */
export function retiredStatus(record: LedgerRecord, frontier: Sequence, head: Sequence): SubscriptionStatus {
  const examined = record.follows ? Math.max(record.examined, frontier) : record.examined
  const open = record.openRows + record.pending.length
  const { matched } = record.counters
  return {
    name: record.subscription,
    state: 'retired',
    reason: 'not in the configuration; it keeps its place in the log until it is dropped',
    match: [],
    start: record.start,
    examined,
    floor: Math.min(examined, (record.pending[0] ?? examined + 1) - 1, (record.lowestRow ?? examined + 1) - 1),
    head,
    lag: Math.max(0, head - examined),
    open,
    counters: { ...record.counters, filtered: examined - record.start - matched, dead: record.deadRows, open },
    oldestAgeSeconds: 0,
    ...(record.foldVersion !== undefined && { foldVersion: record.foldVersion }),
  }
}
