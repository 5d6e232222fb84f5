import { AppError } from '../core/errors.ts'
import type { Event, Sequence } from '../core/event.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import { compilePatterns } from '../core/match.ts'
import type { Explanation } from './api.ts'
import { explainDelivery } from './explain.ts'
import type { Lane } from './lane.ts'
import type { Opened } from './opened.ts'
import { readForPeople } from './unreadable.ts'

/**
 * Where an event is and why, in every subscription or one. Of those that were made while the pipeline ran there may be
 * thousands: without a name, only those that it matches are told of.
 */
export async function explainEvent(live: Opened, sequence: Sequence, subscription?: string): Promise<Explanation> {
  await live.settler.flush()
  const head = live.store.head()
  if (!Number.isSafeInteger(sequence) || sequence < 1 || sequence > head)
    throw new AppError('not-found', `explaining event ${sequence} failed: the log ends at ${head}`)
  const { event, unreadable } = await readForPeople(live.store, sequence)
  const deliveries = []
  for (const subject of subjectsOf(live, event, subscription))
    deliveries.push(await explainDelivery(live.store, subject, sequence, event, live.dispatch.frontier))
  for (const subject of await live.replays.holding(sequence, subscription)) {
    const delivery = await explainDelivery(live.store, subject, sequence, event, live.dispatch.frontier)
    // What a replay left out is no news.
    if (delivery.state !== 'filtered' || subscription === nameOf(subject)) deliveries.push(delivery)
  }
  return {
    sequence,
    event: event && {
      source: event.source,
      id: event.id,
      type: event.type,
      subject: event.subject,
      time: event.time,
      recordedtime: event.recordedtime,
    },
    unreadable,
    deliveries,
  }
}

function subjectsOf(live: Opened, event: Event | undefined, name: string | undefined): (Lane | LedgerRecord)[] {
  const { lanes, retired, desk } = live
  if (name === undefined)
    return [...lanes.subscriptions().filter((lane) => !desk.has(lane.name) || isWanted(lane, event)), ...retired]
  if (live.replays.has(name)) return []
  const known = lanes.get(name) ?? retired.find(({ subscription }) => subscription === name)
  // Throws what there is to say of a name without a ledger.
  return [known ?? live.lane(name)]
}

function nameOf(subject: Lane | LedgerRecord): string {
  return 'policy' in subject ? subject.name : subject.subscription
}

function isWanted({ policy: { match, from, where } }: Lane, event: Event | undefined): boolean {
  if (event === undefined) return true
  return compilePatterns(match)(event.type) && (from?.includes(event.source) ?? true) && (where?.test(event) ?? true)
}
