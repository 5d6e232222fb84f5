import type { Sequence } from '../../core/event.ts'
import { type DeliveryRow, dueToClient } from '../../core/ledger-state.ts'
import type { Lane } from '../lane.ts'
import { buryUnreadable, readEvents } from '../unreadable.ts'

const pageSize = 5000

/**
 * Puts back on the shelf what was there: what is pending or in a row of its own, and which client has which of it. Pending
 * deliveries that clients were offered are past the stages, also those that are new. Answers which pending ones it took.
 */
export async function recoverShelf(lane: Lane): Promise<ReadonlySet<Sequence>> {
  const { store, platform } = lane.around
  const pull = lane.pull!
  const { shelf } = pull
  const batches = await store.batches(lane.name)
  shelf.restore(batches, platform.clock.now())
  if (lane.policy.onFailure === 'park') {
    for await (const { key, sequence } of pages((after) => store.dead(lane.name, { after, limit: pageSize })))
      if (key !== undefined) shelf.park(key, sequence)
  }
  if (lane.ledger.openRows > 0) {
    for await (const { sequence, key, group } of rowsToClients(lane))
      pull.place(sequence, key, true, group !== undefined)
  }
  const { pending } = lane.ledger
  const offered = batches.flatMap((row) => (row.kind === 'offered' ? row.sequences : []))
  const placed =
    lane.setup.stages.length === 0 ? new Set(pending) : new Set(offered.filter((sequence) => pending.has(sequence)))
  await placePending(lane, placed)
  shelf.restored(platform.clock.now())
  lane.around.settler().touch(lane)
  return placed
}

/** Only where there is order is it necessary to look at the events. */
async function placePending(lane: Lane, sequences: ReadonlySet<Sequence>): Promise<void> {
  const pending = [...sequences].sort((a, b) => a - b)
  for (let at = 0; at < pending.length; at += pageSize) {
    const page = pending.slice(at, at + pageSize)
    if (lane.policy.ordering === 'none') {
      for (const sequence of page) lane.pull!.place(sequence, undefined, false)
      continue
    }
    const { events, damaged } = await readEvents(lane.around.store, page)
    for (const sequence of page) {
      const event = events.get(sequence)
      const damage = damaged.get(sequence)
      if (damage !== undefined) buryUnreadable(lane, sequence, 'pending', damage, {})
      // One that retention has removed is found lost when it is offered.
      else lane.pull!.place(sequence, event && lane.keyOf(event), false)
    }
  }
}

/** What clients of a pull sink had or waited for, in a configuration whose sink sends by itself: it is due now. */
export async function takeFromClients(lane: Lane): Promise<void> {
  if (lane.ledger.open === 0) return
  const { store, platform } = lane.around
  const batches = await store.batches(lane.name)
  for (const { batch } of batches) lane.ledger.setBatch(batch, undefined)
  if (lane.ledger.openRows > 0) {
    const dueAt = platform.clock.now()
    for await (const row of rowsToClients(lane)) {
      const { sequence, key, unreadable } = row
      if (unreadable === undefined) lane.ledger.putRow({ ...row, state: 'waiting', dueAt }, 'row')
      else buryUnreadable(lane, sequence, 'row', unreadable, { row, key })
    }
  }
  if (lane.ledger.isDirty) lane.around.settler().touch(lane)
}

function rowsToClients(lane: Lane): AsyncGenerator<DeliveryRow> {
  const query = { dueFrom: dueToClient, dueBefore: dueToClient, limit: pageSize }
  return pages((after) => lane.around.store.rows(lane.name, { ...query, after }))
}

async function* pages<Row extends { readonly sequence: Sequence }>(
  read: (after: Sequence) => Promise<readonly Row[]>,
): AsyncGenerator<Row> {
  for (let after: Sequence = 0; ; ) {
    const page = await read(after)
    yield* page
    if (page.length < pageSize) return
    after = page.at(-1)!.sequence
  }
}
