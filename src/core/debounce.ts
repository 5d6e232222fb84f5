import { type EventInput, timeText } from './event.ts'
import { compilePatterns } from './match.ts'

export const debounceStrategies = ['debounce', 'batch'] as const
export type DebounceStrategy = (typeof debounceStrategies)[number]

/** Which events of a source wait to become one, and for how long. */
export interface DebounceRule {
  /** Types: `*`, `prefix.*` or exact. */
  readonly match: readonly string[]
  /** `debounce`: each event moves the end on. `batch`: the end stands when the first event comes. */
  readonly strategy: DebounceStrategy
  readonly windowMs: number
  /** The first event of a group waits no longer than this. Without meaning for `batch`. */
  readonly maxWaitMs: number
}

/** An event that may wait: it has a subject, and its data is JSON, so that it can be kept as text. */
export type HeldEvent = EventInput & { readonly subject: string }

/** Events of one source, type and subject that will be one: the newest data, and the meta of all of them. */
export interface PendingGroup {
  readonly event: HeldEvent
  readonly count: number
  /** Wall time, so that a group keeps its end over a restart. */
  readonly firstSeenMs: number
  readonly lastSeenMs: number
  readonly flushAtMs: number
}

/** What decides for an event: the first rule that matches its type; none means that it is stored at once. */
export function compileRules(rules: readonly DebounceRule[]): (type: string) => DebounceRule | undefined {
  const compiled = rules.map((rule) => ({ rule, matches: compilePatterns(rule.match) }))
  return (type) => compiled.find(({ matches }) => matches(type))?.rule
}

/** Names the group of an event. An event without a subject has none: it is stored at once. */
export function groupKey(event: Pick<EventInput, 'source' | 'type' | 'subject'>): string | undefined {
  // None of the three can hold a control character.
  return event.subject === undefined ? undefined : `${event.source}\n${event.type}\n${event.subject}`
}

/** Merged meta stays below what an event may carry (64 KiB), with room for what promotion adds and for wide characters. */
export const maxMetaLength = 16_384

/**
 * The group with one event more, or a new one. The latest data wins; meta is merged, and its newest entries win.
 * When the merged meta would grow too large, that of the newest event stands alone.
 */
export function joinGroup(
  group: PendingGroup | undefined,
  event: HeldEvent,
  rule: DebounceRule,
  nowMs: number,
): PendingGroup {
  const firstSeenMs = group?.firstSeenMs ?? nowMs
  const meta = { ...group?.event.meta, ...event.meta }
  return {
    event: JSON.stringify(meta).length > maxMetaLength ? event : { ...event, meta },
    count: (group?.count ?? 0) + 1,
    firstSeenMs,
    lastSeenMs: nowMs,
    flushAtMs:
      rule.strategy === 'batch'
        ? firstSeenMs + rule.windowMs
        : Math.min(nowMs + rule.windowMs, firstSeenMs + rule.maxWaitMs),
  }
}

/** True when a group must wait no longer: its time has come, or the clock was set back and would make it wait anew. */
export function isDue({ flushAtMs, lastSeenMs }: PendingGroup, nowMs: number): boolean {
  return nowMs >= flushAtMs || nowMs < lastSeenMs
}

/** Longest id of a promoted event, with room for a suffix below the bound of ids. */
const maxIdLength = 240

/**
 * The event that a group becomes. Its id follows from the group alone, so a group that is promoted again after a crash is
 * a duplicate. `attempt` counts from 1; two groups of one second would share their id, and the later one takes a suffix.
 */
export function promote(
  { event, count, firstSeenMs, lastSeenMs }: PendingGroup,
  attempt: number,
  digest: (text: string) => string,
): EventInput {
  const name = `${event.type}:${event.subject}`
  const seconds = Math.floor(firstSeenMs / 1000)
  const plain = `coalesced:${name}:${seconds}`
  const id = plain.length > maxIdLength ? `coalesced:${digest(name)}:${seconds}` : plain
  const merged = {
    ...event.meta,
    coalesced: true,
    coalesced_count: count,
    first_seen_at: timeText(firstSeenMs),
    last_seen_at: timeText(lastSeenMs),
  }
  return {
    ...event,
    id: attempt === 1 ? id : `${id}:${attempt}`,
    time: timeText(lastSeenMs),
    meta: count > 1 ? merged : event.meta,
  }
}
