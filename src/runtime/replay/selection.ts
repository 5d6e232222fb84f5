import { derivedSource } from '../../core/derived.ts'
import type { Event, Sequence } from '../../core/event.ts'
import { compilePatterns } from '../../core/match.ts'
import type { SubscriptionPolicy } from '../../core/plan.ts'
import type { Store } from '../../plugin/store.ts'
import { isDamage } from '../unreadable.ts'
import type { Upcasting } from '../upcasting.ts'
import type { ReplayOptions } from './face.ts'

/** Which events of a range are delivered again: those that the subscription reads and that the replay asks for. */
export interface EventSelection {
  /** What the store is asked to look for; it may find more than is wanted. */
  readonly search: { readonly type: readonly string[]; readonly source?: string; readonly subject?: string }
  wants(event: Event): boolean
  /** In which version the subscription is given it. */
  readonly see: Upcasting | undefined
}

/** Whose deliveries are made again: what a selection needs of a subscription. */
export interface Replayed {
  readonly policy: SubscriptionPolicy
  readonly see?: Upcasting | undefined
}

/** Dry run and run both select with this. */
export function selectionOf(
  { policy: { name, match, from, where, recursive }, see }: Replayed,
  asked: Pick<ReplayOptions, 'match' | 'source' | 'subject'>,
): EventSelection {
  const ownSource = derivedSource(name)
  const isRead = compilePatterns(match)
  const isAsked = asked.match === undefined ? () => true : compilePatterns(asked.match)
  const sources = asked.source ?? from
  return {
    search: {
      type: asked.match ?? match,
      ...(sources?.length === 1 && { source: sources[0]! }),
      ...(asked.subject?.length === 1 && { subject: asked.subject[0]! }),
    },
    see,
    wants: (event) =>
      isRead(event.type) &&
      isAsked(event.type) &&
      (event.source !== ownSource || recursive === true) &&
      (from?.includes(event.source) ?? true) &&
      (asked.source?.includes(event.source) ?? true) &&
      (asked.subject === undefined || (event.subject !== undefined && asked.subject.includes(event.subject))) &&
      where?.test(event) !== false,
  }
}

/** Some of the wanted events after a sequence, and up to where nothing else is wanted. */
export interface ScannedPage {
  readonly events: readonly Event[]
  readonly upTo: Sequence
}

/** One bounded look at the log, in the store's own time: the main thread sees only what its search finds. */
export async function scan(
  store: Store,
  { search, wants, see }: EventSelection,
  after: Sequence,
  to: Sequence,
  limit: number,
): Promise<ScannedPage> {
  const cut = (events: readonly Event[], upTo: Sequence): ScannedPage => ({
    events: (see === undefined ? events : events.map(see)).filter((event) => event.sequence <= to && wants(event)),
    upTo: Math.min(to, upTo),
  })
  try {
    const page = await store.query({ ...search, after, limit })
    return cut(page.events, page.next ?? to)
  } catch (error) {
    if (!isDamage(error)) throw error
  }
  // A search answers nothing of a page with damage in it: this answers what stands before the damage.
  const events = await store.read(after, limit)
  return cut(events, events.at(-1)?.sequence ?? to)
}
