import { AppError, messageOf } from '../core/errors.ts'
import type { Event, Sequence } from '../core/event.ts'
import type { DeliveryRow } from '../core/ledger-state.ts'
import type { Store } from '../plugin/store.ts'
import type { Lane } from './lane.ts'

/** Events that deliveries need: those that are there, and why others cannot be read. What is in neither is gone. */
export interface Found {
  readonly events: ReadonlyMap<Sequence, Event>
  readonly damaged: ReadonlyMap<Sequence, string>
}

/** Reads events of open deliveries. A damaged one is told apart and keeps nobody from the others. */
export async function readEvents(store: Store, sequences: readonly Sequence[]): Promise<Found> {
  const events = new Map<Sequence, Event>()
  const damaged = new Map<Sequence, string>()
  const read = async (some: readonly Sequence[]): Promise<void> => {
    try {
      for (const event of await store.readMany(some)) events.set(event.sequence, event)
    } catch (error) {
      if (!isDamage(error)) throw error
      if (some.length === 1) {
        damaged.set(some[0]!, messageOf(error))
        return
      }
      // Halves: a few reads for each damaged event, whatever the number of good ones.
      const middle = some.length >> 1
      await read(some.slice(0, middle))
      await read(some.slice(middle))
    }
  }
  if (sequences.length > 0) await read(sequences)
  return { events, damaged }
}

/** One event for people; or why it cannot be read. Neither when it is gone. */
export async function readForPeople(
  store: Store,
  sequence: Sequence,
): Promise<{ readonly event?: Event | undefined; readonly unreadable?: string | undefined }> {
  const { events, damaged } = await readEvents(store, [sequence])
  return { event: events.get(sequence), unreadable: damaged.get(sequence) }
}

export function isDamage(error: unknown): boolean {
  return error instanceof AppError && error.code === 'store-corrupt'
}

/**
 * A delivery that can never be made, because its event or what was remembered of it is damaged: a dead letter that says so,
 * with a copy of the event where that can still be read. It holds back nobody else.
 */
export function buryUnreadable(
  lane: Lane,
  sequence: Sequence,
  from: 'pending' | 'row' | 'held',
  why: string,
  known: {
    readonly row?: DeliveryRow | undefined
    readonly key?: string | undefined
    readonly event?: Event | undefined
  },
): void {
  const { row, key, event } = known
  lane.unreadable.add(sequence)
  lane.around.log.error(`a delivery of ${lane.name} cannot be made and is a dead letter now`, { sequence, error: why })
  lane.ends.bury(
    {
      sequence,
      event: event?.record,
      reason: 'unreadable: the store is damaged (store-corrupt)',
      error: why,
      diedAt: lane.around.platform.clock.now(),
      attemptCount: Math.max(row?.attempt ?? 0, row?.attempts.length ?? 0),
      attempts: row?.attempts ?? [],
      key,
      done: row?.done ?? [],
      context: row?.context,
      redriven: row?.redriven,
    },
    from,
    // One that was put back from the dead letters may stand beside its key.
    from === 'held' || (key !== undefined && lane.order?.blockedBy(key) === sequence),
  )
}
