import type { Json } from '../../core/event.ts'
import { compilePatterns } from '../../core/match.ts'
import type { Platform } from '../../core/platform.ts'
import { afterCall, beginCall, beginSaga, lapse, receive, resume, type SagaMove, sagaMove } from '../../core/saga.ts'
import { type ExpectedSaga, inOrder, type Saga, type SagaState } from '../../core/saga-state.ts'
import { keyFor, withoutKey } from '../../io/key-option.ts'
import type { PluginContext } from '../../plugin/source.ts'
import type { Stage, StageInput, StageResult } from '../../plugin/stage.ts'
import { callStep } from './call.ts'
import { attemptMs, type CheckedStep, planOf, type SagaOptions } from './options.ts'
import { endOf } from './outcome.ts'
import type { SagaInput } from './steps.ts'

/** The data of an event that is kept with the saga, as JSON: it is written with every transition after it. */
const mostCharacters = 256 * 1024

type Call = Extract<SagaMove, { readonly kind: 'run' | 'compensate' }>

/**
 * The delivery of the start event drives the saga. Each call makes one transition, answers it to be kept, and is made again
 * once that is stored: at once, or when the next attempt is due. Events that a step waits for change what is kept and wake it.
 */
export function createSaga(options: SagaOptions, platform: Platform): Stage {
  const plan = planOf(options)
  const begins = compilePatterns(listOf(options.start))
  const waits = options.steps.flatMap((step) =>
    'run' in step
      ? []
      : {
          step: step.name,
          takes: compilePatterns(listOf(step.event)),
          fails: compilePatterns(listOf(step.fail ?? [])),
        },
  )
  /** Keys of the sagas whose call this process has stored as under way and not made yet. */
  const begun = new Set<string>()
  let around: PluginContext | undefined

  const call = async (
    saga: Saga,
    key: string,
    { kind, step, attempt }: Call,
    input: StageInput,
  ): Promise<StageResult> => {
    const definition = options.steps.find(({ name }) => name === step.name)!
    const { event, now, log } = input
    const given = {
      ...{ event, key, results: saga.results, attempt, now, log },
      idempotencyKey: platform.digest(
        JSON.stringify([around?.name, saga.start.source, saga.start.id, step.name, kind === 'run' ? 'run' : 'undo']),
      ),
    }
    const answer = await callStep((signal) => callOf(definition, kind, saga, { ...given, signal }), {
      platform,
      timeoutMs: Math.min(attemptMs(definition), kind === 'run' ? leftMs(saga, now) : Number.POSITIVE_INFINITY),
      outer: input.signal,
      isStopping: () => around?.signal.aborted === true,
    })
    return stored(afterCall(plan, saga, answer, input.now, platform.random), input.now)
  }

  const drive = (kept: Saga, key: string, input: StageInput): StageResult | Promise<StageResult> => {
    const { now } = input
    const wasCut = kept.isUnderWay && !begun.delete(key)
    let saga = kept.status === 'stuck' ? resume(kept, now) : kept
    if (sagaMove(plan, saga, now).kind !== 'lost') {
      if (wasCut) saga = afterCall(plan, saga, { kind: 'failed', error: cutOff }, now, platform.random)
      saga = lapse(plan, saga, now)
      if (saga !== kept) return stored(saga, now)
    }
    const move = sagaMove(plan, saga, now)
    switch (move.kind) {
      case 'begin':
        begun.add(key)
        return stored(beginCall(saga), now)
      case 'wait':
        return waiting(saga, move.untilMs! - now)
      case 'lost':
        return { outcome: 'reject', reason: `the saga has no step ${move.step} any more, and this one is at it` }
      case 'end':
        return endOf(saga, key, options, input)
      default:
        return call(saga, key, move, input)
    }
  }

  /** The transition is stored; then the next one is made, or waited for. */
  const stored = (saga: Saga, now: number): StageResult => {
    const keep = { value: asJson(saga) }
    if (saga.status === 'stuck')
      return { outcome: 'reject', reason: `stuck: compensating ${saga.step} failed: ${saga.error}`, keep }
    const move = sagaMove(plan, saga, now)
    return { ...waiting(saga, move.kind === 'wait' ? move.untilMs! - now : 0), keep }
  }

  const take = (kept: SagaState | undefined, input: StageInput): StageResult => {
    const { event, now } = input
    const { sequence, id, type, time } = event
    const data = event.data instanceof Uint8Array ? null : (event.data ?? null)
    if (JSON.stringify(data).length > mostCharacters)
      return { outcome: 'reject', reason: `its data is too large for a saga: ${mostCharacters} characters at most` }
    const of = waits
      .filter(({ takes, fails }) => takes(type) || fails(type))
      .map(({ step, fails }) => ({ step, isFailure: fails(type) }))
    const received = receive(plan, kept, { sequence, id, type, time, data }, of, now)
    if (received.kind === 'late') return tooLate(options.late, received.reason)
    const { state, step } = received
    const keep = { value: asJson(state) }
    if (state.status === 'expected')
      return {
        outcome: 'discard',
        reason: `kept for step ${step} of a saga that has not begun`,
        keep: { ...keep, dueAt: now + options.early },
      }
    const { sequence: start } = state.start
    const wake = kept?.status === 'waiting' ? [start] : []
    return { outcome: 'discard', reason: `step ${step} of the saga of event ${start} has it`, keep, wake }
  }

  return {
    open(context) {
      around = context
    },
    keyOf: (input) => keyFor(options.by, input),
    process(input) {
      const { event, now } = input
      const { sequence, source, id, type } = event
      const key = keyFor(options.by, input)
      const kept = input.kept as SagaState | undefined
      const saga = kept === undefined || kept.status === 'expected' ? undefined : kept
      // Whatever its type means now: what has begun must end.
      if (saga?.start.sequence === sequence) return drive(saga, key!, input)
      const isStart = begins(type)
      const isWanted = waits.some(({ takes, fails }) => takes(type) || fails(type))
      if (!isStart && !isWanted) return { outcome: 'discard', reason: `no step of the saga waits for ${type}` }
      if (key === undefined) return withoutKey(options.by)
      if (saga === undefined && isStart)
        return stored(beginSaga(plan, { sequence, source, id, type }, now, kept as ExpectedSaga | undefined), now)
      if (isWanted) return take(kept, input)
      const reason = `event ${saga!.start.sequence} began the saga of its key, which is ${saga!.status}`
      return { outcome: 'discard', reason }
    },
    // Only what has ended, or was never begun, is due.
    onDue: () => ({ keep: { value: null } }),
  }
}

function tooLate(late: SagaOptions['late'], reason: string): StageResult {
  return late === 'pass' ? { outcome: 'ack' } : { outcome: late, reason: `it came too late: ${reason}` }
}

const cutOff = 'it was cut off by the end of the process'

function callOf(definition: CheckedStep, kind: Call['kind'], saga: Saga, given: SagaInput): unknown {
  if (kind === 'run') return 'run' in definition ? definition.run(given) : undefined
  const result = Object.hasOwn(saga.results, definition.name) ? saga.results[definition.name] : undefined
  return definition.compensate?.({ ...given, result, reason: saga.reason! })
}

function waiting(saga: Saga, delayMs: number): StageResult {
  const reason = saga.step === undefined ? `its saga is ${saga.status}` : `its saga is ${saga.status} at ${saga.step}`
  return { outcome: 'retry', isWait: true, delay: `${Math.max(0, Math.ceil(delayMs))}ms`, reason }
}

function leftMs({ deadline }: Saga, now: number): number {
  return deadline === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Date.parse(deadline) - now)
}

function asJson(state: SagaState): Json {
  return (state.status === 'expected' ? state : inOrder(state)) as unknown as Json
}

function listOf(written: string | readonly string[]): readonly string[] {
  return typeof written === 'string' ? [written] : written
}
