import {
  compileRules,
  type DebounceRule,
  groupKey,
  type HeldEvent,
  isDue,
  joinGroup,
  maxMetaLength,
  type PendingGroup,
  promote,
} from '../core/debounce.ts'
import type { EventInput } from '../core/event.ts'
import type { Log, Platform } from '../core/platform.ts'
import { openStateMap, type StateChange, type StateMap } from '../plugin/state-map.ts'
import type { Store } from '../plugin/store.ts'
import type { Ingest } from './ingest.ts'
import type { IngestCounts } from './ingest-parts.ts'
import type { Services } from './supervise.ts'

/** What became of an event: it waits in a group, it was seen before, or it is not for waiting. */
export type Held = 'held' | 'seen' | 'not'

/**
 * Events of one source that wait to become one (S0-105). Groups and the ids of the events that went into them are kept in
 * the source's state: an event is in its group before the source's cursor moves past it, and its id stays known after the
 * group is promoted, so that reading it again makes nothing new.
 */
export interface Debounce {
  /** Takes what must wait, durably; the answer is parallel to the events. */
  hold(events: readonly EventInput[]): Promise<readonly Held[]>
  /** Promotes groups when their time comes, until the pipeline stops. */
  run(): Promise<void>
}

interface Around {
  readonly store: Store
  readonly ingest: Ingest
  readonly services: Services
  readonly platform: Platform
  readonly log: Log
}

/** Groups that wait at a time; beyond it events of new groups are stored at once. */
const maxGroups = 10_000
/** Ids of raw events that are remembered after the newest: 16 characters each, about 12 MiB in memory. */
const maxSeen = 200_000
const promotedAtOnce = 500

/** Opens the groups of a source; undefined when there are neither rules nor groups left from rules of before. */
export async function openDebounce(
  name: string,
  rules: readonly DebounceRule[],
  counts: IngestCounts,
  around: Around,
): Promise<Debounce | undefined> {
  const { state } = around.store
  // Beside the source's own space, which the source may clear. No source can have this name.
  const space = `${name}/debounce`
  const map = await openStateMap(
    {
      get: (key) => state.get(space, key),
      set: (key, value) => state.set(space, key, value),
      delete: (key) => state.delete(space, key),
      list: (prefix) => state.list(space, prefix),
    },
    '',
  )
  const groups = new Map<string, PendingGroup>()
  for (const [key, value] of map.entries) {
    if (key.startsWith(groupPrefix)) groups.set(key, JSON.parse(value) as PendingGroup)
  }
  if (rules.length === 0 && groups.size === 0) return undefined
  return createDebounce(name, rules, counts, around, map, groups)
}

const groupPrefix = 'group:'
const seenPrefix = 'seen:'

function createDebounce(
  name: string,
  rules: readonly DebounceRule[],
  counts: IngestCounts,
  { store, ingest, services, platform, log }: Around,
  map: StateMap,
  groups: Map<string, PendingGroup>,
): Debounce {
  const { clock } = platform
  const ruleFor = compileRules(rules)
  const inTurn = createTurns()
  const alarm = createWake(services, platform)
  let seenCount = map.entries.size - groups.size

  const seenKey = ({ source, id }: EventInput): string =>
    `${seenPrefix}${platform.digest(`${source}\n${id}`).slice(0, 16)}`
  /** Events without a subject, with bytes or with very much meta are stored at once, as are those that will be refused. */
  const canWait = (event: EventInput): event is HeldEvent =>
    groupKey(event) !== undefined &&
    ruleFor(event.type) !== undefined &&
    !(event.data instanceof Uint8Array) &&
    ingest.isValid(event) &&
    JSON.stringify(event.meta ?? {}).length <= maxMetaLength
  const wasSeen = async (event: EventInput): Promise<boolean> =>
    map.entries.has(seenKey(event)) || (await store.find(event.source, event.id)) !== undefined

  const hold = async (events: readonly EventInput[]): Promise<readonly Held[]> => {
    const answers = events.map((): Held => 'not')
    const touched = new Map<string, PendingGroup>()
    const seen = new Set<string>()
    const candidates = events.flatMap((event, at) => (canWait(event) ? [{ event, at }] : []))
    const known = await Promise.all(candidates.map(({ event }) => wasSeen(event)))
    const now = clock.now()
    candidates.forEach(({ event, at }, n) => {
      const raw = seenKey(event)
      if (known[n] || seen.has(raw)) {
        answers[at] = 'seen'
        return
      }
      const key = groupPrefix + groupKey(event)!
      const group = touched.get(key) ?? groups.get(key)
      if (group === undefined && groups.size + touched.size >= maxGroups) return
      touched.set(key, joinGroup(group, event, ruleFor(event.type)!, now))
      seen.add(raw)
      answers[at] = 'held'
    })
    if (touched.size === 0) return answers
    const changes: StateChange[] = [...touched].map(([key, group]) => [key, JSON.stringify(group)])
    for (const raw of seen) changes.push([raw, ''])
    seenCount += seen.size
    for (const raw of oldestSeen(map, seenCount - maxSeen)) changes.push([raw, undefined])
    seenCount = Math.min(seenCount, maxSeen)
    await map.write(changes)
    for (const [key, group] of touched) groups.set(key, group)
    alarm.wake()
    return answers
  }

  /** The events first, then the end of their groups: after a crash in between they are promoted again, as duplicates. */
  const flush = async (): Promise<void> => {
    const now = clock.now()
    const due = [...groups].filter(([, group]) => isDue(group, now)).slice(0, promotedAtOnce)
    let left = due.map(([, group]) => group)
    for (let attempt = 1; left.length > 0; attempt++) {
      const { results } = await ingest.ingestInputs(left.map((group) => promote(group, attempt, platform.digest)))
      for (const result of results) {
        if (result.status !== 'conflict') counts[result.status] += 1
        if (result.status === 'refused')
          log.error(`source ${name}: events that waited for each other became one that is not valid`, {
            problem: result.error.message,
          })
      }
      left = left.filter((_, n) => results[n]!.status === 'conflict')
    }
    await map.write(due.map(([key]) => [key, undefined]))
    for (const [key] of due) groups.delete(key)
  }

  return {
    hold: (events) => inTurn(() => hold(events)),
    async run() {
      while (!services.signal.aborted) {
        const now = clock.now()
        const next = Math.min(...groups.values().map((group) => (isDue(group, now) ? now : group.flushAtMs)))
        if (next <= now) await inTurn(flush)
        else await alarm.sleep(next - now)
      }
    },
  }
}

/** The first `count` ids that were seen, in order of age. */
function* oldestSeen(map: StateMap, count: number): Generator<string> {
  if (count <= 0) return
  for (const key of map.entries.keys()) {
    if (!key.startsWith(seenPrefix)) continue
    yield key
    if (--count === 0) return
  }
}

/** One piece of work at a time, in the order in which they are asked for. */
function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
}

/** A sleep that can be cut short, also from before it begins. */
function createWake(services: Services, platform: Platform) {
  let isWoken = false
  let end: (() => void) | undefined
  return {
    wake(): void {
      isWoken = true
      end?.()
    },
    /** Waits at most `ms` (for ever when infinite), until `wake` or the stop of the pipeline. */
    async sleep(ms: number): Promise<void> {
      if (!isWoken && !services.signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = ms === Number.POSITIVE_INFINITY ? undefined : platform.after(ms, () => end?.())
          end = () => {
            end = undefined
            timer?.cancel()
            services.signal.removeEventListener('abort', onAbort)
            resolve()
          }
          const onAbort = (): void => end?.()
          services.signal.addEventListener('abort', onAbort, { once: true })
        })
      }
      isWoken = false
    },
  }
}
