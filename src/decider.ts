import { commandPrefix, type DecidedEvent, type StoredEvent } from './core/decide.ts'
import { AppError } from './core/errors.ts'
import { deepFreeze } from './core/event.ts'
import type { Platform } from './core/platform.ts'
import { createTurns, type Turns } from './core/turns.ts'
import { nodePlatform } from './plugin/platform.ts'
import type { Pipeline } from './runtime/api.ts'
import type { Until } from './runtime/streams/face.ts'

/** What a decider needs of a pipeline. */
export type DeciderPipeline = Pick<Pipeline, 'append' | 'readStream' | 'streamVersion' | 'snapshots' | 'store'>

/** How the events of a stream come about, and what they make of it. Both functions are pure: same input, same answer. */
export interface DeciderSpec<State, Command, E extends DecidedEvent> {
  /** Is the source of its events, and names its snapshots. */
  readonly name: string
  /** The state of a stream without events. It is frozen: `evolve` answers a new state. */
  readonly initial: State
  /** What happens because of a command: events to append, none when nothing does. What it throws refuses the command. */
  decide(command: Command, state: State): readonly E[]
  /** The state after an event, which comes as the log has it and in the newest version of its type. */
  evolve(state: State, event: StoredEvent<E>): State
  /**
   * Keeps the state, which must be JSON then, whenever so many events were read to make it; `load` and `handle` read only
   * what came after. Change `version` with every change of `evolve` or of the state's shape: kept states of another version
   * are ignored.
   */
  readonly snapshot?: { readonly every: number; readonly version: number } | undefined
  /** Where random ids come from. Default: the process's own. */
  readonly platform?: Pick<Platform, 'id'> | undefined
}

/** A state, and the version of the stream that it is the state of. */
export interface Loaded<State> {
  readonly state: State
  readonly version: number
}

/** What came of a command: its events, and the state after them. */
export interface Handled<State, E extends DecidedEvent> extends Loaded<State> {
  readonly events: readonly StoredEvent<E>[]
}

export interface HandleOptions {
  /**
   * The id of the command: handled again with the same id it answers what it answered before, for as long as ids are
   * remembered (`dedup`). Without one, a command that is sent again is another command.
   */
  readonly id?: string | undefined
  /** How often the command is decided when others append to the stream in between. Default: 10. */
  readonly attempts?: number | undefined
}

export interface Decider<State, Command, E extends DecidedEvent> {
  /** The state of a stream now, or as it was at a version or a time. */
  load(
    pipeline: DeciderPipeline,
    stream: string,
    options?: { readonly until?: Until | undefined },
  ): Promise<Loaded<State>>
  /**
   * Decides on the newest state and appends against its version; decides anew when somebody else appended in between.
   * Throws what `decide` throws, what `append` throws, and `version-conflict` when all attempts were overtaken.
   */
  handle(
    pipeline: DeciderPipeline,
    stream: string,
    command: Command,
    options?: HandleOptions,
  ): Promise<Handled<State, E>>
}

/** More than a few callers have to be faster for it to fail. */
const defaultAttempts = 10

/**
 * Makes state from the events of streams, and events from commands.
 *
 * @example
 * type Event = { type: 'account.credited'; data: { amount: number } }
 * const account = decider<{ balance: number }, { credit: number }, Event>({
 *   name: 'bank',
 *   initial: { balance: 0 },
 *   decide: ({ credit }) => [{ type: 'account.credited', data: { amount: credit } }],
 *   evolve: ({ balance }, { data }) => ({ balance: balance + data.amount }),
 * })
 * const { state } = await account.handle(pipeline, 'account-7', { credit: 5 })
 */
export function decider<State, Command, E extends DecidedEvent>(
  spec: DeciderSpec<State, Command, E>,
): Decider<State, Command, E> {
  const { name, snapshot, platform = nodePlatform } = spec
  const initial: Loaded<State> = { state: deepFreeze(spec.initial), version: 0 }
  const keyOf = (stream: string) => ({ decider: name, stream, format: snapshot?.version ?? 0 })

  const load = async (pipeline: DeciderPipeline, stream: string, until?: Until): Promise<Loaded<State>> => {
    const to = await pipeline.streamVersion(stream, until)
    const kept = snapshot && ((await pipeline.snapshots.read(keyOf(stream), to)) as Loaded<State> | undefined)
    const { state, version } = await advance(pipeline, stream, kept ?? initial, to)
    const isWorth = snapshot !== undefined && version - (kept?.version ?? 0) >= snapshot.every
    // One of the past would take the place of a newer one.
    if (isWorth && until === undefined) await pipeline.snapshots.write(keyOf(stream), { version, state })
    return { state, version }
  }

  /** A state brought forward to a version, with the events after `collect`. */
  const advance = async (
    pipeline: DeciderPipeline,
    stream: string,
    from: Loaded<State>,
    to: number,
    collect = to,
  ): Promise<Handled<State, E>> => {
    let { state, version } = from
    const events: StoredEvent<E>[] = []
    for await (const each of pipeline.readStream(stream, { after: version, limit: Math.max(0, to - version) })) {
      const event = each.event as unknown as StoredEvent<E>
      state = spec.evolve(state, event)
      version = each.version
      if (version > collect) events.push(event)
    }
    return { state, version, events }
  }

  /** What an earlier call with this id appended; undefined when there was none, or it appended nothing. */
  const earlier = async (
    pipeline: DeciderPipeline,
    stream: string,
    prefix: string,
  ): Promise<Handled<State, E> | undefined> => {
    const sequence = await pipeline.store.find(name, `${prefix}0`)
    if (sequence === undefined) return undefined
    const first = await pipeline.store.versionAt(stream, sequence)
    if (first === undefined)
      throw new AppError(
        'events-removed',
        `handling a command for the stream ${stream} failed: it was handled before, and retention removed its events`,
        { facts: { stream } },
      )
    const before = first - 1
    let last = before
    for await (const { version, event } of pipeline.readStream(stream, { after: before })) {
      if (event.source !== name || !event.id.startsWith(prefix)) break
      last = version
    }
    return advance(pipeline, stream, await load(pipeline, stream, { version: before }), last, before)
  }

  const handle: Decider<State, Command, E>['handle'] = async (
    pipeline,
    stream,
    command,
    { id, attempts = defaultAttempts } = {},
  ) => {
    const prefix = id === undefined ? undefined : commandPrefix(stream, id)
    let loaded = await load(pipeline, stream)
    for (let attempt = 1; ; attempt++) {
      const done = prefix === undefined ? undefined : await earlier(pipeline, stream, prefix)
      if (done !== undefined) return done
      const events = spec.decide(command, loaded.state)
      if (events.length === 0) return { ...loaded, events: [] }
      const inputs = events.map((event, at) => {
        return { ...event, source: name, id: prefix === undefined ? platform.id() : `${prefix}${at}` }
      })
      try {
        const { version } = await pipeline.append(stream, inputs, { expect: loaded.version })
        return await advance(pipeline, stream, loaded, version, version - events.length)
      } catch (error) {
        const isOvertaken = error instanceof AppError && error.code === 'version-conflict'
        if (!isOvertaken || attempt >= attempts) throw error
      }
      loaded = await advance(pipeline, stream, loaded, await pipeline.streamVersion(stream))
    }
  }

  /** Commands for one stream take turns within the process: between them nobody is overtaken. */
  const turns = new WeakMap<DeciderPipeline, Turns>()
  const turnsOf = (pipeline: DeciderPipeline): Turns => {
    const known = turns.get(pipeline) ?? createTurns()
    turns.set(pipeline, known)
    return known
  }

  return {
    load: (pipeline, stream, { until } = {}) => load(pipeline, stream, until),
    handle: (pipeline, ...given) => turnsOf(pipeline).take(given[0], () => handle(pipeline, ...given)),
  }
}
