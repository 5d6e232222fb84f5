import { depthOf, derivedId, derivedSource, maxDepth, withDepth } from '../core/derived.ts'
import { parseDuration } from '../core/duration.ts'
import { messageOf } from '../core/errors.ts'
import { deepFreeze, Event, type EventRecord, type Json, type Sequence } from '../core/event.ts'
import { checkChanged, checkEvent } from '../core/event-check.ts'
import { hopsOf, withHops } from '../core/hops.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Clock, Log } from '../core/platform.ts'
import { markReplayed } from '../core/replayed.ts'
import { answerProblem } from '../core/stage-answer.ts'
import type { RetryPolicies } from '../plugin/retry-setting.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { Stage, StageInput, StageResult } from '../plugin/stage.ts'
import type { Call, Calls } from './calls.ts'
import type { Flight } from './flight.ts'
import { type KeptChange, type KeptValues, keptChange } from './kept-values.ts'
import type { LaneSetup } from './lane-setup.ts'

export interface RunningStage {
  readonly name: string
  readonly stage: Stage
  /** Calls at a time at most. */
  readonly concurrency: number
  /** Deliveries that may wait in front of it. */
  readonly buffer: number
  /** Its result is not stored: it is made again after a crash. */
  readonly isPure: boolean
  /** When a failed attempt is made again. */
  readonly policy: RetryPolicies
  /** What the stage keeps by key; undefined: it keeps nothing. */
  readonly kept?: KeptValues | undefined
  /** The calls under way, with this stage's own timeout. */
  readonly calls: Calls
}

/** What a stage's attempt came to. */
export interface StageEnd {
  readonly outcome: Outcome
  readonly hasThrown: boolean
  readonly context: Readonly<Record<string, Json>> | undefined
  readonly event: Event | undefined
  readonly derived: readonly EventRecord[]
  readonly keep: KeptChange | undefined
  /** Deliveries that are due now. */
  readonly wake: readonly Sequence[]
}

/**
 * Runs one attempt; answers at once when the stage does. Exceptions, wrong answers and timeouts are values here: a stage
 * never ends the pipeline.
 */
export function runStage(
  stage: RunningStage,
  flight: Flight,
  call: Call,
  setup: StageSetup,
  kept?: Json,
): StageEnd | Promise<StageEnd> {
  const { context, replay } = setup
  try {
    const event = replay === undefined ? flight.event : markReplayed(flight.event, replay.id)
    const result = stage.stage.process(new StageCall(event, flight, call, context, kept))
    if (!isThenable(result)) return answered(result ?? undefined, flight, stage, setup)
    return Promise.resolve(result).then(
      (answer) => {
        if (call.isAbandoned) return stageFailed(stage, call, undefined)
        // What the engine still reads of the store for it does not take its time.
        call.isHeldUp = true
        try {
          return answered(answer ?? undefined, flight, stage, setup)
        } catch (error) {
          return stageFailed(stage, call, error)
        }
      },
      (error: unknown) => stageFailed(stage, call, error),
    )
  } catch (error) {
    return stageFailed(stage, call, error)
  }
}

/** What a stage's answer is read with. */
type StageSetup = Pick<LaneSetup, 'context' | 'replay' | 'gate' | 'digest'>

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** An attempt that could not be made, or threw. */
export function stageFailed({ name }: RunningStage, call: Call, error: unknown): StageEnd {
  const reason = call.hasTimedOut ? `stage ${name} timed out` : `stage ${name} threw: ${messageOf(error)}`
  return end({ outcome: 'retry', reason }, true)
}

/** What a stage is given; the signal is made only when it is looked at. */
class StageCall implements StageInput {
  readonly event: Event
  readonly context: Readonly<Record<string, Json>>
  readonly attempt: number
  readonly log: Log
  readonly kept: Json | undefined
  readonly #clock: Clock
  readonly #call: Call

  constructor(
    event: Event,
    { context, attempt }: Flight,
    call: Call,
    { log, clock }: PluginContext,
    kept: Json | undefined,
  ) {
    this.event = event
    this.context = context
    this.attempt = attempt
    this.log = log
    this.kept = kept
    this.#clock = clock
    this.#call = call
  }

  get now(): number {
    return this.#clock.now()
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }
}

const none: readonly never[] = Object.freeze([])
const acknowledged: Outcome = Object.freeze({ outcome: 'ack' })

/** An end at which nothing came of it but what it was and its context. */
function end(outcome: Outcome, hasThrown = false, context?: StageEnd['context']): StageEnd {
  return { outcome, hasThrown, context, event: undefined, derived: none, keep: undefined, wake: none }
}

/** It answered nothing. */
const passed: StageEnd = Object.freeze(end(acknowledged))

function answered(result: StageResult | undefined, flight: Flight, stage: RunningStage, setup: StageSetup): StageEnd {
  return result === undefined ? passed : read(result, flight, stage, setup)
}

function read(result: StageResult, flight: Flight, stage: RunningStage, setup: StageSetup): StageEnd {
  const problem = answerProblem(result)
  if (problem !== undefined) throw new Error(problem)
  const { outcome: name, reason, wake = none } = result
  if (name !== 'ack' && name !== 'discard' && name !== 'retry' && name !== 'reject')
    throw new Error(`it answered outcome ${JSON.stringify(name)}; use ack, retry, discard or reject`)
  const context = result.context === undefined ? undefined : roundTrip(result.context)
  const outcome = name === 'retry' ? retryOf(result) : outcomeOf(name, reason)
  if (name === 'retry' && outcome.isWait !== true) return end(outcome, false, context)
  if (stage.isPure && result.derive !== undefined)
    throw new Error('it derived events, and what a pure stage answers is not stored: declare it without isPure')
  if (result.keep !== undefined && flight.keptKey === undefined)
    throw new Error('it keeps a value, and there is no key for it: the stage needs keyOf, and the event a key')
  const keep = result.keep === undefined ? undefined : keptChange(result.keep)
  const derived = derive(result.derive ?? none, flight, stage, setup)
  if (typeof derived === 'string') return end({ outcome: 'reject', reason: derived })
  const event = name === 'ack' && result.event !== undefined ? replace(flight.event, result.event) : undefined
  return { outcome, hasThrown: false, context, event, derived, keep, wake }
}

function outcomeOf(outcome: 'ack' | 'discard' | 'reject', reason: string | undefined): Outcome {
  return outcome === 'ack' && reason === undefined ? acknowledged : { outcome, reason }
}

const tooDeep = `it derived an event from one that is itself ${maxDepth} derivations away from an event that came from outside: a circle ends here`

function retryOf({ reason, delay, isWait }: StageResult): Outcome {
  const parsed = delay === undefined ? undefined : parseDuration(delay)
  if (parsed !== undefined && !parsed.ok) throw new Error(`its delay is wrong: ${parsed.problem}`)
  return { outcome: 'retry', reason, delayMs: parsed?.ms, isWait: isWait === true && parsed !== undefined }
}

/** Through the serialiser, so that types are the same before and after a restart. */
function roundTrip(context: Readonly<Record<string, unknown>>): Readonly<Record<string, Json>> {
  const text = JSON.stringify(context)
  if (text === undefined || !text.startsWith('{')) throw new Error('its context is not a JSON object')
  return deepFreeze(JSON.parse(text) as Record<string, Json>)
}

/** What came in was bounded at the door; this bounds what a stage makes of it. */
const replacedLimits = { dataBytes: 64 * 1024 * 1024 }

function replace(event: Event, change: NonNullable<StageResult['event']>): Event {
  const { record } = event
  const checked = checkChanged(record, change, replacedLimits)
  if (!checked.ok)
    throw new Error(`the event it returned is not valid: ${checked.issues.map(({ message }) => message).join('; ')}`)
  // Other meta, the same way behind it.
  return new Event('meta' in change ? withWay(checked.record, hopsOf(event), depthOf(record)) : checked.record)
}

/** How it came here, whatever a stage makes of its meta. */
function withWay<R extends EventRecord>(record: R, hops: number, depth: number): R {
  return withDepth(withHops(record, hops), depth)
}

/** The events it derived, or why there can be none. */
function derive(
  inputs: NonNullable<StageResult['derive']>,
  flight: Flight,
  stage: RunningStage,
  setup: StageSetup,
): readonly EventRecord[] | string {
  if (inputs.length === 0) return none
  if (depthOf(flight.event.record) >= maxDepth) return tooDeep
  const derived = deriveAll(inputs, flight, stage, setup)
  const screened = setup.gate?.screenDerived(derived)
  if (screened?.kind === 'refused') return `it derived an event: ${screened.problem}`
  return screened?.records ?? derived
}

function deriveAll(
  inputs: NonNullable<StageResult['derive']>,
  { event }: Flight,
  { name: stage }: RunningStage,
  { context, replay, digest }: StageSetup,
): readonly EventRecord[] {
  const names = inputs.map(({ id }, index) => id ?? String(index))
  if (new Set(names).size < names.length) throw new Error('two of the events it derived have the same id')
  const source = derivedSource(replay?.subscription ?? context.name)
  return inputs.map((input, index) => {
    // What a replay derives again is another event.
    const parts = [event.id, stage, names[index]!, ...(replay === undefined ? [] : [replay.id])]
    const checked = checkEvent({ ...input, source, id: derivedId(parts, digest) })
    if (!checked.ok)
      throw new Error(`derived event ${index} is not valid: ${checked.issues.map(({ message }) => message).join('; ')}`)
    // In a circle of pipelines what is derived goes on where its parent was, under an id of its own.
    return withWay(checked.record, hopsOf(event), depthOf(event.record) + 1)
  })
}
