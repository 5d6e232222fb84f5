import type { PipelineStats, SubscriptionStatus } from './api.ts'
import type { Opened } from './opened.ts'
import { formatStats } from './stats-table.ts'
import { laneStatus } from './status.ts'
import type { Taps } from './taps.ts'

/** The status of one subscription as memory knows it: nothing is written or looked up for it. */
export function statusNow(live: Opened, name: string): SubscriptionStatus | undefined {
  const { lanes, views, desk, observed, store, platform } = live
  const lane = lanes.get(name)
  const status =
    lane === undefined
      ? views.get(name)?.status()
      : laneStatus(lane, store.head(), platform.clock.now(), observed.get(name))
  return status && desk.dress(status)
}

/** Counters per source and subscription since the start; a table as text. */
export function pipelineStats(live: Opened, taps: Taps): PipelineStats {
  const { store, desk, observed, platform } = live
  const head = store.head()
  const now = platform.clock.now()
  const subscriptions: Record<string, SubscriptionStatus> = {}
  for (const lane of live.lanes.subscriptions())
    subscriptions[lane.name] = desk.dress(laneStatus(lane, head, now, observed.get(lane.name)))
  for (const status of [...live.views.statuses(), ...taps.statuses(head)])
    subscriptions[status.name] = desk.dress(status)
  const sources: Record<string, PipelineStats['sources'][string]> = {}
  for (const source of live.sources) {
    const loop = live.services.loops.get(`source ${source.name}`)
    sources[source.name] = {
      ...source.counts,
      restarts: loop?.restarts ?? 0,
      state: source.isPassive || loop?.alive ? 'running' : 'ended',
      error: loop?.lastError,
    }
  }
  const stats = {
    head,
    durability: store.durability,
    uptimeSeconds: (platform.clock.monotonic() - live.openedAt) / 1000,
    published: { ...live.ingest.counts, warned: live.ingest.warned, large: live.ingest.large },
    emitted: { ...taps.counts },
    sources,
    subscriptions,
    replays: live.replays.standing(),
  }
  return Object.defineProperty(stats, 'toString', {
    value: () => formatStats(stats),
    enumerable: false,
  }) as PipelineStats
}
