import type { Sequence } from '../core/event.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { Platform } from '../core/platform.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import type { Lane } from './lane.ts'
import { observeAll } from './observing.ts'
import type { Opened } from './opened.ts'
import { discardDead, redriveDead } from './operations.ts'
import type { EngineSetup } from './setup.ts'

export interface RetentionPolicy {
  readonly ageMs?: number | undefined
  readonly sizeBytes?: number | undefined
  readonly whenPinned: 'keep' | 'force'
}

const retentionEveryMs = 3_600_000
const tendEveryMs = 30_000
const observeEveryMs = 10_000

/** What a running pipeline does from time to time. */
export function startUpkeep(
  live: Opened,
  { retention, dedupMs, historyMs, upkeepMs }: Pick<EngineSetup, 'retention' | 'dedupMs' | 'historyMs' | 'upkeepMs'>,
): void {
  const { services, platform, store } = live
  const lose = (upTo: Sequence): Promise<void> => forceOut(live, upTo)
  services.every('retention', retentionEveryMs, () =>
    retain(store, retention, { nowMs: platform.clock.now(), dedupMs, historyMs }, lose, (record) =>
      live.replays.isRead(record),
    ),
  )
  services.every('dead letters', upkeepMs ?? tendEveryMs, () => tendDead([...live.lanes.values()], platform))
  services.every('observe', upkeepMs ?? observeEveryMs, () => observeAll(live))
  services.every('replays', upkeepMs ?? tendEveryMs, () => live.replays.tend())
  services.every('ended secrets', upkeepMs ?? tendEveryMs, () => live.desk.tidy())
}

/** What lanes have not examined is lost when forced retention removes it. */
async function forceOut(live: Opened, upTo: Sequence): Promise<void> {
  for (const lane of live.lanes.values()) {
    if (lane.examined >= upTo) continue
    live.dispatch.leave(lane)
    lane.loseUpTo(upTo)
    if (lane.isRunning) live.resume(lane)
  }
  await live.settler.flush()
}

/** What is removed at once when the log is too large: the rest follows at the next look. */
const smallestStep = 1000

/**
 * Removes what is older or more than the policy keeps, never above the lowest pin of any ledger unless `force` says so;
 * then what was not settled is counted as lost.
 */
async function retain(
  store: Store,
  policy: RetentionPolicy,
  times: { nowMs: number; dedupMs: number; historyMs: number },
  lose: (upTo: Sequence) => Promise<void>,
  isRead: (record: LedgerRecord) => boolean = () => false,
): Promise<void> {
  const wanted = await wantedLimit(store, policy, times.nowMs)
  const pin = await lowestPin(store, isRead)
  const limit = policy.whenPinned === 'force' ? wanted : Math.min(wanted, pin)
  if (limit > pin) await lose(limit)
  await store.prune({
    events: limit >= store.oldest() ? limit : undefined,
    dedupBeforeMs: times.nowMs - times.dedupMs,
    historyBeforeMs: times.nowMs - times.historyMs,
  })
}

/** The highest sequence that age and size would let go. */
async function wantedLimit(store: Store, { ageMs, sizeBytes }: RetentionPolicy, nowMs: number): Promise<Sequence> {
  let limit = 0
  if (ageMs !== undefined) limit = (await store.sequenceAt(nowMs - ageMs)) - 1
  if (sizeBytes !== undefined) {
    const { bytes, events, oldest } = await store.size()
    if (bytes > sizeBytes && events > 0) {
      const tooMany = Math.ceil(((bytes - sizeBytes) / bytes) * events)
      limit = Math.max(limit, Math.min(oldest - 1 + Math.max(tooMany, smallestStep), store.head()))
    }
  }
  return limit
}

/** The highest sequence that no ledger needs any more. Of one that reads no further, only what is open counts. */
async function lowestPin(store: Store, isRead: (record: LedgerRecord) => boolean): Promise<Sequence> {
  const records = await store.ledgers()
  const frontier = records.find(({ subscription }) => subscription === frontierLedger)?.examined ?? 0
  let pin = frontier
  for (const record of records) {
    if (record.subscription === frontierLedger) continue
    const examined = record.follows ? Math.max(record.examined, frontier) : record.examined
    pin = Math.min(
      pin,
      isRead(record) ? Number.POSITIVE_INFINITY : examined,
      (record.pending[0] ?? Number.POSITIVE_INFINITY) - 1,
      (record.lowestRow ?? Number.POSITIVE_INFINITY) - 1,
    )
  }
  return pin
}

/** Dead letters past their time are discarded; those to be redriven by themselves are. */
async function tendDead(lanes: readonly Lane[], platform: Platform): Promise<void> {
  const nowMs = platform.clock.now()
  for (const lane of lanes) {
    if (lane.ledger.deadRows === 0) continue
    const { keepMs, redrive } = lane.policy.dead
    if (redrive !== undefined) {
      await redriveDead(
        lane,
        { diedBefore: nowMs - redrive.afterMs, limit: 1000 },
        ({ redriven }) => (redriven ?? 0) < redrive.times,
      )
    }
    if (keepMs !== undefined)
      await discardDead(
        lane,
        { diedBefore: nowMs - keepMs, limit: 1000 },
        'kept as a dead letter as long as the configuration says',
      )
  }
}
