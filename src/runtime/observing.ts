import type { Lane } from './lane.ts'
import type { Opened } from './opened.ts'
import { type Observed, observe } from './status.ts'

/** Fresh facts from the store, for status and metrics. */
export async function observeAll({ settler, store, lanes, observed }: Opened): Promise<void> {
  await settler.flush()
  for (const { subscription, lowestRow } of await store.ledgers()) {
    const lane = lanes.get(subscription)
    if (lane !== undefined) observed.set(lane.name, await observe(store, lane, lowestRow))
  }
}

/** The same for one lane: one of thousands is not worth a look at all of them. */
export async function observeOne({ settler, store, observed }: Opened, lane: Lane): Promise<Observed> {
  await settler.flush()
  const [row] = lane.ledger.openRows > 0 ? await store.rows(lane.name, { limit: 1 }) : []
  const found = await observe(store, lane, row?.sequence)
  observed.set(lane.name, found)
  return found
}
