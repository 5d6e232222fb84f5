import type { SubscriptionStatus } from './api.ts'
import type { Lane } from './lane.ts'
import type { Opened } from './opened.ts'
import { laneStatus, type Observed, observe, retiredStatus } from './status.ts'
import type { Taps } from './taps.ts'

/** Fresh facts from the store, for status and metrics. */
export async function observeAll({ settler, store, lanes, observed }: Opened): Promise<void> {
  await settler.flush()
  for (const { subscription, lowestRow } of await store.ledgers()) {
    const lane = lanes.get(subscription)
    if (lane !== undefined) observed.set(lane.name, await observe(store, lane, lowestRow))
  }
}

/** The same for one lane: one of thousands is not worth a look at all of them. */
async function observeOne({ settler, store, observed }: Opened, lane: Lane): Promise<Observed> {
  await settler.flush()
  const [row] = lane.ledger.openRows > 0 ? await store.rows(lane.name, { limit: 1 }) : []
  const found = await observe(store, lane, row?.sequence)
  observed.set(lane.name, found)
  return found
}

/** Every subscription in order of name, with fresh facts. */
export async function freshStatuses(live: Opened, taps: Taps): Promise<readonly SubscriptionStatus[]> {
  await observeAll(live)
  const now = live.platform.clock.now()
  const head = live.store.head()
  const active = live.lanes.subscriptions().map((lane) => laneStatus(lane, head, now, live.observed.get(lane.name)))
  const retired = live.retired.map((record) => retiredStatus(record, live.dispatch.frontier, head))
  const all = [...active, ...live.views.statuses(), ...taps.statuses(head), ...retired]
  return all.map((status) => live.desk.dress(status)).sort(byName)
}

/** One of them; throws when there is none. */
export async function freshStatus(live: Opened, taps: Taps, name: string): Promise<SubscriptionStatus> {
  const lane = live.lanes.get(name)
  if (lane !== undefined) {
    const observed = await observeOne(live, lane)
    return live.desk.dress(laneStatus(lane, live.store.head(), live.platform.clock.now(), observed))
  }
  const found = (await freshStatuses(live, taps)).find((status) => status.name === name)
  if (found === undefined) throw live.unknown(name)
  return found
}

/** A view may have the name of a ledger that was retired: it stands before it. */
function byName(a: SubscriptionStatus, b: SubscriptionStatus): number {
  return a.name === b.name ? 0 : a.name < b.name ? -1 : 1
}
