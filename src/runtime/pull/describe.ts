import { timeText } from '../../core/event.ts'
import type { Item } from '../../core/lease.ts'

/** A delivery among clients, for people. */
export interface Described {
  readonly state: 'pending' | 'leased'
  readonly reason: string
  readonly attemptCount: number
  readonly next: string
  readonly dueAt?: number | undefined
}

/** Where it is and what happens next. */
export function describeItem({ place, count, batch, key }: Item, now: number): Described {
  const times = `offered ${count} ${count === 1 ? 'time' : 'times'}`
  if (place === 'leased' && batch !== undefined) {
    return {
      state: 'leased',
      reason: `with a client as batch ${batch.id} until ${timeText(batch.deadline)}; ${times}`,
      attemptCount: count,
      next:
        batch.deadline > now
          ? 'delivered when the client confirms it, offered again at the deadline'
          : 'offered again with the next fetch',
      dueAt: batch.deadline,
    }
  }
  const facts = { state: 'pending', reason: times, attemptCount: count } as const
  if (place === 'delayed' && batch !== undefined)
    return { ...facts, next: `given back: offered again from ${timeText(batch.deadline)}`, dueAt: batch.deadline }
  if (place === 'blocked') return { ...facts, next: `offered when what is before it in its key ${key} is settled` }
  if (place === 'dying')
    return { ...facts, next: 'it was offered as often as it may be, and is about to be a dead letter' }
  return { ...facts, next: 'offered with the next fetch' }
}
