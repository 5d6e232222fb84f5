import type { Group } from '../../core/coalesce.ts'
import type { Event, Sequence } from '../../core/event.ts'
import type { Batch, Item } from '../../core/lease.ts'
import type { DeliveryRow } from '../../core/ledger-state.ts'
import { withGroup } from '../coalescer.ts'
import { fromRow } from '../due-rows.ts'
import { Flight } from '../flight.ts'
import type { Lane } from '../lane.ts'
import { buryUnreadable, readEvents } from '../unreadable.ts'

/** Read at once, so that a batch of large events is not in memory many times over its bound. */
const readAtOnce = 256
/** What an event costs beside its data, about. */
const eventBytes = 400

/** A delivery of the shelf, with its event. */
export interface Loaded {
  readonly item: Item
  readonly flight: Flight
}

/**
 * Reads the deliveries of items, as far as they can be read: what is gone or damaged is settled here. Answers those whose
 * item `isWanted` still, in order.
 */
export async function loadItems(
  lane: Lane,
  items: readonly Item[],
  isWanted: (item: Item) => boolean,
): Promise<Loaded[]> {
  const { store } = lane.around
  const sequences = items.map(({ sequence }) => sequence)
  const { events, damaged } = await readEvents(store, sequences)
  const rows = await rowsOf(lane, items)
  const loaded: Loaded[] = []
  for (const item of items) {
    if (!isWanted(item)) continue
    const { sequence, key, hasRow } = item
    const row = rows.get(sequence)
    const event = events.get(sequence)
    const why = row?.unreadable ?? (row?.event === undefined ? damaged.get(sequence) : undefined)
    if (why !== undefined) {
      lane.pull!.gone(item, () => buryUnreadable(lane, sequence, hasRow ? 'row' : 'pending', why, { row, key, event }))
      continue
    }
    const group = row?.group ?? (key === undefined ? undefined : lane.coalescer?.groupOf(key, sequence))
    const flight = flightOf(item, row, event, group)
    if (flight === undefined) {
      const facts = { reason: 'removed by forced retention', attemptCount: item.count }
      lane.pull!.gone(item, () => lane.ledger.settle(sequence, 'lost', hasRow ? 'row' : 'pending', facts))
    } else loaded.push({ item, flight })
  }
  return loaded
}

async function rowsOf(lane: Lane, items: readonly Item[]): Promise<Map<Sequence, DeliveryRow>> {
  const sequences = items.filter(({ hasRow }) => hasRow).map(({ sequence }) => sequence)
  if (sequences.length === 0) return new Map()
  const rows = await lane.around.store.rows(lane.name, { sequences, limit: sequences.length })
  return new Map(rows.map((row) => [row.sequence, row]))
}

function flightOf(
  item: Item,
  row: DeliveryRow | undefined,
  event: Event | undefined,
  group: Group | undefined,
): Flight | undefined {
  if (event === undefined && row?.event === undefined) return undefined
  const flight = row === undefined ? new Flight(event!, item.key, item.hasRow ? 'row' : 'pending') : fromRow(row, event)
  if (group !== undefined && group.count > 1) flight.event = withGroup(flight.event, group)
  flight.attemptCount = item.count
  flight.isOut = true
  return flight
}

/** The events of a batch that is being made. It keeps what fits, and gives back or settles the rest. */
export async function readBatch(lane: Lane, batch: Batch, maxBytes: number): Promise<Loaded[]> {
  const items = [...batch.items.values()]
  const fitting: Loaded[] = []
  let bytes = 0
  for (let at = 0; at < items.length; at += readAtOnce) {
    const isTaken = ({ place }: Item): boolean => place === 'taken'
    for (const loaded of await loadItems(lane, items.slice(at, at + readAtOnce), isTaken)) {
      if (lane.pull!.expire(loaded)) continue
      bytes += sizeOf(loaded.flight.event)
      if (fitting.length > 0 && bytes > maxBytes) {
        lane.pull!.putBack(batch, items.slice(items.indexOf(loaded.item)))
        return fitting
      }
      fitting.push(loaded)
    }
  }
  return fitting
}

function sizeOf({ record: { data, meta } }: Event): number {
  return (data?.length ?? 0) + (meta?.length ?? 0) + eventBytes
}
