import { type Json, timeText } from './event.ts'
import { nextDelayMs } from './retry.ts'
import {
  type ExpectedSaga,
  hasEnded,
  noted,
  type Saga,
  type SagaPlan,
  type SagaSignal,
  type SagaStart,
  type SagaState,
  type SagaStepPlan,
} from './saga-state.ts'

/**
 * A saga: steps one after another, and when one fails for good, the compensations of those before it in reverse.
 *
 * - `expected`: events came that a step waits for, and the start event did not yet.
 * - `running`: a step is called, or will be. Before every call the saga is `isUnderWay`, and the step is in `undo`: from then
 *   on nobody knows whether it had an effect. An attempt that throws, takes too long or is cut off by the end of the process
 *   may have had one. The step leaves `undo` only when its very first attempt says that it was rejected.
 * - `waiting`: an event is waited for; it may have come already.
 * - `compensating`: forward is over. The last step of `undo` is compensated until that succeeds, then the one before it.
 * - `completed`, `compensated`: the two ends.
 * - `stuck`: a compensation has failed for good. Whoever mends the cause resumes it, and it goes on where it stopped.
 */

/** What is to be done with a saga now. */
export type SagaMove =
  /** To be stored as under way, and then called. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'run' | 'compensate'; readonly step: SagaStepPlan; readonly attempt: number }
  /** Nothing before this time, milliseconds since 1970; undefined: before an event comes. */
  | { readonly kind: 'wait'; readonly untilMs: number | undefined }
  | { readonly kind: 'end' }
  /** The plan has no such step any more. */
  | { readonly kind: 'lost'; readonly step: string }

/** What came of a call. */
export type SagaAnswer =
  | { readonly kind: 'done'; readonly result: Json }
  /** It may have had an effect; it may be tried again. */
  | { readonly kind: 'failed'; readonly error: string }
  /** It had no effect, and will never succeed. */
  | { readonly kind: 'rejected'; readonly error: string }

/** A step that an event may be for. */
export interface SagaWaiting {
  readonly step: string
  readonly isFailure: boolean
}

/** What came of an event that a step may wait for. */
export type SagaReceived =
  | { readonly kind: 'taken'; readonly state: SagaState; readonly step: string }
  | { readonly kind: 'late'; readonly reason: string }

/** A saga begins, with what came for it before. */
export function beginSaga(plan: SagaPlan, start: SagaStart, nowMs: number, before?: ExpectedSaga): Saga {
  const saga: Saga = {
    status: 'running',
    failures: 0,
    isUnderWay: false,
    start,
    startedAt: timeText(nowMs),
    deadline: plan.timeoutMs === undefined ? undefined : timeText(nowMs + plan.timeoutMs),
    undo: [],
    results: {},
    signals: before?.signals ?? {},
    history: [],
  }
  return enter(plan, noted(saga, nowMs, { what: 'started' }), 0, nowMs)
}

/** What is to be done now. */
export function sagaMove(plan: SagaPlan, saga: Saga, nowMs: number): SagaMove {
  if (hasEnded(saga)) return { kind: 'end' }
  const step = plan.steps.find(({ name }) => name === saga.step)
  const kind = saga.status === 'running' ? 'run' : saga.status === 'waiting' ? 'wait' : step?.kind
  if (step === undefined || step.kind !== kind) return { kind: 'lost', step: saga.step! }
  const dueMs = msOf(saga.dueAt)
  if (saga.status === 'waiting') return { kind: 'wait', untilMs: earlier(dueMs, msOf(saga.deadline)) }
  if (dueMs !== undefined && dueMs > nowMs) return { kind: 'wait', untilMs: dueMs }
  if (!saga.isUnderWay) return { kind: 'begin' }
  return { kind: saga.status === 'running' ? 'run' : 'compensate', step, attempt: saga.failures + 1 }
}

/** Its call is about to be made. */
export function beginCall(saga: Saga): Saga {
  const isNew = saga.status === 'running' && saga.failures === 0
  const undo = isNew ? [...saga.undo, saga.step!] : saga.undo
  return { ...saga, isUnderWay: true, dueAt: undefined, undo }
}

/** What time has done to it: the same saga where it did nothing. */
export function lapse(plan: SagaPlan, saga: Saga, nowMs: number): Saga {
  if (saga.status !== 'running' && saga.status !== 'waiting') return saga
  if (isPast(saga.deadline, nowMs)) return fail(plan, saga, outOfTime, nowMs)
  if (saga.status === 'waiting' && isPast(saga.dueAt, nowMs))
    return fail(plan, saga, `${saga.step}: what it waits for did not come in time`, nowMs)
  return saga
}

/** After a call of the step that it is at, forward or back. */
export function afterCall(plan: SagaPlan, saga: Saga, answer: SagaAnswer, nowMs: number, random: () => number): Saga {
  const index = plan.steps.findIndex(({ name }) => name === saga.step)
  const step = plan.steps[index]!
  const isForward = saga.status === 'running'
  if (answer.kind === 'done') {
    if (!isForward)
      return undoNext(plan, withoutLast(noted(saga, nowMs, { what: 'compensated', step: step.name })), nowMs)
    const results = { ...saga.results, [step.name]: answer.result }
    return enter(plan, noted({ ...saga, results }, nowMs, { what: 'done', step: step.name }), index + 1, nowMs)
  }
  const { error } = answer
  const failures = saga.failures + 1
  const what = !isForward ? 'compensation failed' : answer.kind
  const failed = noted({ ...saga, isUnderWay: false, failures, error }, nowMs, {
    what,
    step: step.name,
    attempt: failures,
    error,
  })
  const policy = isForward ? step.retry : step.compensateRetry
  const delayMs = answer.kind === 'rejected' ? undefined : nextDelayMs(policy, failures, random)
  const reason = `${step.name}: ${error}`
  if (delayMs === undefined) {
    if (!isForward) return stick(failed, nowMs)
    const isClean = answer.kind === 'rejected' && saga.failures === 0
    return fail(plan, isClean ? withoutLast(failed) : failed, reason, nowMs)
  }
  // Compensating has no deadline: what has begun is taken back, however long it takes.
  if (isForward && isPast(saga.deadline, nowMs + delayMs)) return fail(plan, failed, `${reason}; ${outOfTime}`, nowMs)
  return { ...failed, dueAt: timeText(nowMs + delayMs) }
}

/** One that was stuck goes on. */
export function resume(saga: Saga, nowMs: number): Saga {
  const again: Saga = { ...saga, status: 'compensating', failures: 0, dueAt: undefined, endedAt: undefined }
  return noted(again, nowMs, { what: 'resumed', step: saga.step })
}

/**
 * An event came that one of these steps may wait for: the first that has none yet and is not over takes it. Each says whether
 * the event means to it that what it waits for will not come.
 */
export function receive(
  plan: SagaPlan,
  state: SagaState | undefined,
  signal: SagaSignal,
  waiting: readonly SagaWaiting[],
  nowMs: number,
): SagaReceived {
  const signals = state?.signals ?? {}
  const hasBegun = state !== undefined && state.status !== 'expected'
  if (hasBegun && state.status !== 'running' && state.status !== 'waiting')
    return { kind: 'late', reason: `its saga is ${state.status}` }
  const indexOf = (name: string | undefined): number => plan.steps.findIndex((each) => each.name === name)
  const at = hasBegun ? indexOf(state.step) : 0
  const taker = waiting.find(({ step }) => !Object.hasOwn(signals, step) && indexOf(step) >= at)
  if (taker === undefined)
    return { kind: 'late', reason: `step ${waiting.map(({ step }) => step).join(', ')} has its event, or is over` }
  const { step, isFailure } = taker
  const known = { ...signals, [step]: isFailure ? { ...signal, isFailure } : signal }
  if (!hasBegun) return { kind: 'taken', state: { status: 'expected', signals: known }, step }
  const saga: Saga = { ...state, signals: known }
  return { kind: 'taken', state: step === state.step ? enter(plan, saga, at, nowMs) : saga, step }
}

const outOfTime = 'the time of the saga is over'

/**
 * On to the step with this index; beyond the last it is completed. One that is done already stood before the others when the
 * saga came to it: the plan has another order now.
 */
function enter(plan: SagaPlan, saga: Saga, index: number, nowMs: number): Saga {
  const step = plan.steps[index]
  if (step === undefined) return end(saga, 'completed', nowMs)
  if (Object.hasOwn(saga.results, step.name)) return enter(plan, saga, index + 1, nowMs)
  if (isPast(saga.deadline, nowMs)) return fail(plan, saga, outOfTime, nowMs)
  const { name, waitMs } = step
  const at: Saga = { ...saga, step: name, failures: 0, isUnderWay: false, dueAt: undefined, error: undefined }
  if (step.kind === 'run') return { ...at, status: 'running' }
  if (!Object.hasOwn(saga.signals, name))
    return { ...at, status: 'waiting', dueAt: waitMs === undefined ? undefined : timeText(nowMs + waitMs) }
  const { [name]: signal, ...signals } = saga.signals
  const taken = noted({ ...at, signals }, nowMs, { what: 'received', step: name })
  if (signal!.isFailure === true) return fail(plan, taken, `${name}: ${signal!.type} came`, nowMs)
  const results = { ...saga.results, [name]: signal as unknown as Json }
  return enter(plan, { ...taken, results, undo: [...saga.undo, name] }, index + 1, nowMs)
}

/** Forward is over. */
function fail(plan: SagaPlan, saga: Saga, reason: string, nowMs: number): Saga {
  const failed: Saga = { ...saga, status: 'compensating', isUnderWay: false, dueAt: undefined, reason }
  return undoNext(plan, noted(failed, nowMs, { what: 'compensating', error: reason }), nowMs)
}

/** On to the last step that is to be undone; one that nothing undoes is passed over. One that the plan lacks is not. */
function undoNext(plan: SagaPlan, saga: Saga, nowMs: number): Saga {
  const name = saga.undo.at(-1)
  if (name === undefined) return end(saga, 'compensated', nowMs)
  const step = plan.steps.find((each) => each.name === name)
  if (step?.isCompensable === false) return undoNext(plan, withoutLast(saga), nowMs)
  return { ...saga, step: name, failures: 0, isUnderWay: false }
}

function withoutLast(saga: Saga): Saga {
  return { ...saga, undo: saga.undo.slice(0, -1) }
}

function stick(saga: Saga, nowMs: number): Saga {
  return noted({ ...saga, status: 'stuck', endedAt: timeText(nowMs) }, nowMs, { what: 'stuck', step: saga.step })
}

function end(saga: Saga, status: 'completed' | 'compensated', nowMs: number): Saga {
  const ended: Saga = { ...saga, status, step: undefined, failures: 0, isUnderWay: false, endedAt: timeText(nowMs) }
  return noted(ended, nowMs, { what: status })
}

function isPast(time: string | undefined, nowMs: number): boolean {
  const ms = msOf(time)
  return ms !== undefined && ms <= nowMs
}

function msOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : globalThis.Date.parse(time)
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)
}
