import type { Sequence } from '../core/event.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import { nextDelayMs } from '../core/retry.ts'
import type { RowQuery } from '../plugin/store.ts'
import { fromRow } from './due-rows.ts'
import { Flight } from './flight.ts'
import type { Lane } from './lane.ts'
import { recoverShelf, takeFromClients } from './pull/recover.ts'
import { buryUnreadable, readEvents } from './unreadable.ts'

const pageSize = 5000
/** Deaths of the process while a delivery ran alone that make it dead. */
const deathsToDie = 2

/**
 * Brings a lane back to where its ledger says it was: order of keys, pending deliveries, suspects.
 * After an unclean end, deliveries that may have been under way become due after their first delay; stored due times stand.
 */
export async function recover(lane: Lane, record: LedgerRecord, isUnclean: boolean): Promise<void> {
  if (lane.fair !== undefined) lane.fair.restore(await lane.around.store.held(lane.name))
  else if (lane.order === undefined) await releaseHeld(lane)
  else await restoreOrder(lane)
  if (lane.coalescer !== undefined) {
    // In one turn: what is restored may be due, and must not come in before the others of its key are known.
    const rows = await Array.fromAsync(allRows(lane, {}))
    for (const row of rows) lane.coalescer.restore(row)
  }
  const solo = isUnclean ? record.mark?.solo : undefined
  if (solo !== undefined) await countDeath(lane, solo)
  let shelved: ReadonlySet<Sequence> | undefined
  if (lane.pull === undefined) await takeFromClients(lane)
  else shelved = await recoverShelf(lane)
  if (lane.pull === undefined || lane.setup.stages.length > 0)
    await restorePending(lane, isUnclean && !lane.setup.runsUserCode, shelved)
  if (lane.order !== undefined) {
    for (const key of lane.order.runnableHeld()) lane.due.loadHeld(key, lane.order.held(key)[0]!)
  }
  if (lane.ledger.openRows > 0) lane.due.expect(0)
  if (lane.setup.stages.some(({ kept }) => kept !== undefined)) await lane.setup.timers.start()
}

async function restoreOrder(lane: Lane): Promise<void> {
  const order = lane.order!
  const { store } = lane.around
  if (lane.ledger.openRows > 0) {
    for await (const row of allRows(lane, {})) {
      // Those that clients have are past the order of the stages.
      if (row.key !== undefined && row.state !== 'leased' && order.blockedBy(row.key) === undefined)
        order.restore(row.key, { blockedBy: row.sequence })
    }
    for (const { key, sequences } of await store.held(lane.name)) {
      order.restore(key, { held: sequences })
      lane.ledger.heldCount += sequences.length
    }
  }
  if (lane.policy.onFailure !== 'park' || lane.ledger.deadRows === 0) return
  for (let after: Sequence = 0; ; ) {
    const page = await store.dead(lane.name, { after, limit: pageSize })
    for (const row of page) if (row.key !== undefined) order.restore(row.key, { blockedBy: row.sequence })
    if (page.length < pageSize) return
    after = page.at(-1)!.sequence
  }
}

/** Deliveries that waited behind their key, in a configuration that no longer asks for order: they are due now. */
async function releaseHeld(lane: Lane): Promise<void> {
  const { store, platform } = lane.around
  if (lane.ledger.openRows === 0) return
  const dueAt = platform.clock.now()
  for (const { key, sequences } of await store.held(lane.name)) {
    lane.ledger.heldCount += sequences.length
    for (const sequence of sequences)
      lane.ledger.putRow({ sequence, state: 'waiting', dueAt, done: [], attempt: 0, deaths: 0, attempts: [] }, 'held')
    lane.ledger.rewriteHeld(key, [])
  }
  lane.around.settler().touch(lane)
}

async function* allRows(lane: Lane, query: Omit<RowQuery, 'limit' | 'after'>) {
  for (let after: Sequence = 0; ; ) {
    const page = await lane.around.store.rows(lane.name, { ...query, after, limit: pageSize })
    yield* page
    if (page.length < pageSize) return
    after = page.at(-1)!.sequence
  }
}

async function restorePending(lane: Lane, isDelayed: boolean, shelved?: ReadonlySet<Sequence>): Promise<void> {
  const pending = [...lane.ledger.pending].filter((sequence) => shelved?.has(sequence) !== true)
  if (pending.length === 0) return
  const { events, damaged } = await readEvents(lane.around.store, pending)
  const { clock, random } = lane.around.platform
  const delayMs = isDelayed ? (nextDelayMs(lane.policy.retry, 1, random) ?? 0) : 0
  for (const sequence of pending) {
    const event = events.get(sequence)
    const damage = damaged.get(sequence)
    if (damage !== undefined) {
      buryUnreadable(lane, sequence, 'pending', damage, {})
      continue
    }
    if (event === undefined) {
      lane.ledger.settle(sequence, 'lost', 'pending', { reason: 'removed by forced retention', attemptCount: 0 })
      continue
    }
    const flight = new Flight(event, lane.keyOf(event), 'pending')
    if (delayMs > 0) lane.postpone(flight, clock.now() + delayMs)
    else lane.admit(flight)
  }
  lane.around.settler().touch(lane)
}

/** The process died while this delivery ran alone. */
async function countDeath(lane: Lane, sequence: Sequence): Promise<void> {
  const { store, platform } = lane.around
  const [row] = await store.rows(lane.name, { sequences: [sequence], limit: 1 })
  if (row === undefined && !lane.ledger.pending.has(sequence)) return
  // A damaged one becomes a dead letter with the others.
  const event = (await readEvents(store, [sequence])).events.get(sequence)
  if (event === undefined || row?.unreadable !== undefined) return
  const key = row?.key ?? lane.keyOf(event)
  const flight = row === undefined ? new Flight(event, key, 'pending') : fromRow({ ...row, key }, event)
  flight.deaths += 1
  flight.attemptCount += 1
  lane.inMemory += 1
  if (flight.deaths >= deathsToDie) {
    lane.ends.die(flight, 'quarantined: the process died twice while this delivery ran alone')
    return
  }
  lane.inMemory -= 1
  lane.postpone(flight, platform.clock.now())
}
