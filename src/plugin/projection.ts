import { deepFreeze, type Event, type Json } from '../core/event.ts'
import { defineStage } from './define.ts'
import type { SubscriptionConfig } from './pipeline-schema.ts'
import type { RetryInput } from './retry-setting.ts'
import { schema } from './schema.ts'
import type { Stage, StageResult } from './stage.ts'
import type { StageEntry } from './stage-slot.ts'
import type { HasState, StateReader } from './state.ts'

/** The name of the stage that folds, in `state`, `explain` and dead letters. */
const foldStage = 'projection'

/** How events become a state. The functions are pure: what they answer follows from what they are given. */
export interface ProjectionOptions<State, E extends Event<unknown> = Event, Pattern extends string = string> {
  /** Types it is made of: `*`, `prefix.*` or exact. */
  readonly match: readonly Pattern[]
  /** Only events of these sources. Default: of every one. */
  readonly from?: readonly string[] | undefined
  /** Only events for which this CEL expression is true. */
  readonly where?: string | undefined
  /** What an event is about: each key has a state of its own. Undefined: it is about nothing here. Default: its subject. */
  key?(event: E): string | undefined
  /** The state of a key before its first event. */
  readonly initial: State
  /**
   * The state after an event: a new value, JSON, at most 64 MiB. `state` is frozen. Undefined leaves it as it is, null removes
   * the key. One that throws holds back the later events of its key, until it is redriven or discarded.
   */
  fold(state: Readonly<NoInfer<State>>, event: E): NoInfer<State> | null | undefined
  /** Raise it with every change of `key`, `initial` or `fold` that makes another state of the same events. Default: 1. */
  readonly version?: number | undefined
  /** When a fold that failed is tried again. Default: after 1 s, then after 30 s, and then no more. */
  readonly retry?: RetryInput | undefined
}

/** A projection: a subscription whose name is that of the projection. */
export interface Projection<State, Pattern extends string = string>
  extends Omit<SubscriptionConfig, 'match' | 'stages' | 'sink'> {
  match: Pattern[]
  stages: StageEntry<never>[]
  /** Reads the state that a pipeline has of it. */
  of(pipeline: HasState): StateReader<State>
}

/**
 * Folds events into a state for each key, kept in the store: a read model. Every event counts exactly once, in the order of
 * the log within its key, over failures and crashes. Stands in `subscriptions` under its own name.
 *
 * @example
 * const balances = projection('balances', {
 *   match: ['account.*'],
 *   initial: { balance: 0 },
 *   fold: ({ balance }, event: Event<{ amount: number }>) => ({ balance: balance + event.data.amount }),
 * })
 * await using pipeline = await openPipeline({ store: sqlite({ path: 'events.db' }), subscriptions: { balances } })
 * await balances.of(pipeline).get('account-1')
 */
export function projection<State, E extends Event<unknown> = Event, const Pattern extends string = string>(
  name: string,
  { match, from, where, retry = defaultRetry, ...options }: ProjectionOptions<State, E, Pattern>,
): Projection<State, Pattern> {
  const { key } = options
  const config = {
    match: [...match],
    ...(from !== undefined && { from }),
    ...(where !== undefined && { where }),
    ...(key !== undefined && { orderBy: (event: Event) => key(event as unknown as E) }),
    ordering: 'key',
    // A key whose event failed waits for it, for as long as it takes: its state would be another one without it.
    onFailure: 'park',
    dead: { keep: 'forever' },
    start: 'beginning',
    concurrency: readsAtOnce,
    retry,
    stages: [{ use: fold(options as FoldOptions), name: foldStage, concurrency: readsAtOnce, buffer: readsAtOnce }],
  } as const
  // A method, and no setting.
  return Object.defineProperty(config, 'of', {
    value: (pipeline: HasState) => pipeline.state(name, foldStage),
    enumerable: false,
  }) as unknown as Projection<State, Pattern>
}

/** States that are not in memory are read together, so many of them; a fold itself never waits. */
const readsAtOnce = 64

const defaultRetry = { attempts: 3, delays: ['1s', '30s'] } as const satisfies RetryInput

type FoldOptions = Pick<ProjectionOptions<Json>, 'key' | 'initial' | 'fold' | 'version'>

const aFunction = schema.custom<(...given: never[]) => unknown>((value) => typeof value === 'function', {
  error: 'a function is needed',
})

/** Only in code: a configuration file cannot hold its functions, and no catalogue names it. */
const fold = defineStage({
  name: foldStage,
  summary: 'Folds the events of each key into a state that is kept in the store.',
  options: schema.strictObject({
    key: aFunction.describe('What an event is about. Default: its subject.').optional(),
    initial: schema
      .unknown()
      .refine((value) => JSON.stringify(value) !== undefined, { error: 'a JSON value is needed' })
      .describe('The state of a key before its first event.'),
    fold: aFunction.describe('The state after an event.'),
    version: schema.int().min(1).default(1).describe('Raised with every change that makes another state.'),
  }),
  example: {},
  runsUserCode: true,
  foldVersion: ({ version }) => String(version),
  create: (options) => foldingStage(options as FoldOptions),
})

const done: StageResult = Object.freeze({ outcome: 'ack' })
const aboutNothing: StageResult = Object.freeze({ outcome: 'discard', reason: 'it has no key in this projection' })

function foldingStage({ key = ({ subject }) => subject, initial: written, fold: step }: FoldOptions): Stage {
  // Every key begins with it: nobody may change it.
  const initial = deepFreeze(JSON.parse(JSON.stringify(written)) as Json)
  return {
    keyOf: ({ event }) => wellFormed(key(event)),
    process({ event, kept }) {
      if (key(event) === undefined) return aboutNothing
      const state = kept ?? initial
      const next: unknown = step(state as never, event)
      if (next === undefined || next === state || (next === null && kept === undefined)) return done
      if (isThenable(next))
        throw new Error(
          'its fold answered a promise: a fold computes the state from what it is given, and waits for nothing',
        )
      return { outcome: 'ack', keep: { value: next as Json } }
    },
  }
}

/** What is stored cannot hold half a character. */
function wellFormed(key: string | undefined): string | undefined {
  return typeof key === 'string' ? key.toWellFormed() : key
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
