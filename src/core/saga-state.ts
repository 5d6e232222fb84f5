import { type Json, type Sequence, timeText } from './event.ts'
import type { RetryPolicy } from './plan.ts'

/** A step of a saga, without what it does. */
export interface SagaStepPlan {
  readonly name: string
  /** `run`: something is called; `wait`: an event is waited for. */
  readonly kind: 'run' | 'wait'
  /** There is something to call that undoes it. */
  readonly isCompensable: boolean
  readonly retry: RetryPolicy
  /** Of what undoes it. */
  readonly compensateRetry: RetryPolicy
  /** How long a wait may take; undefined: as long as the saga. */
  readonly waitMs?: number | undefined
}

export interface SagaPlan {
  /** In order; at least one. */
  readonly steps: readonly SagaStepPlan[]
  /** How long it may go forward; compensating has no end. Undefined: without end. */
  readonly timeoutMs?: number | undefined
}

/** The event that a saga began with. */
export interface SagaStart {
  readonly sequence: Sequence
  readonly source: string
  readonly id: string
  readonly type: string
}

/** An event that a step waits for; the result of that step. */
export interface SagaSignal {
  readonly sequence: Sequence
  readonly id: string
  readonly type: string
  readonly time: string
  readonly data: Json
  /** True: it says that what was waited for will not come. */
  readonly isFailure?: boolean | undefined
}

export type SagaSignals = Readonly<Record<string, SagaSignal>>

/** One transition, as people read it. */
export interface SagaNote {
  readonly at: string
  readonly what:
    | 'started'
    | 'done'
    | 'failed'
    | 'rejected'
    | 'received'
    | 'compensating'
    | 'compensated'
    | 'compensation failed'
    | 'completed'
    | 'stuck'
    | 'resumed'
  readonly step?: string | undefined
  /** Which attempt failed, from 1. */
  readonly attempt?: number | undefined
  readonly error?: string | undefined
}

/** Events came for a saga that has not begun. */
export interface ExpectedSaga {
  readonly status: 'expected'
  readonly signals: SagaSignals
}

/** Where a saga stands: all that is remembered of it, as JSON. Times are RFC 3339 text. */
export interface Saga {
  readonly status: 'running' | 'waiting' | 'compensating' | 'completed' | 'compensated' | 'stuck'
  /** What it is at: the step that runs or waits, or whose compensation does. Absent at the end. */
  readonly step?: string | undefined
  /** Failed attempts of that so far. */
  readonly failures: number
  /** True from before an attempt is made until its answer is there: when a process ends in between, it was cut off. */
  readonly isUnderWay: boolean
  /** When the next attempt is made, or the wait is over. Absent: at once, or without end. */
  readonly dueAt?: string | undefined
  /** Why it does not complete. */
  readonly reason?: string | undefined
  /** What the last failed attempt said. */
  readonly error?: string | undefined
  readonly start: SagaStart
  readonly startedAt: string
  /** Until when it must have completed. */
  readonly deadline?: string | undefined
  readonly endedAt?: string | undefined
  /** Steps that have had an effect, or may have had one, in order: these are compensated, from the end. */
  readonly undo: readonly string[]
  /** By step. */
  readonly results: Readonly<Record<string, Json>>
  /** Events that came before their step. */
  readonly signals: SagaSignals
  /** The newest transitions. */
  readonly history: readonly SagaNote[]
}

export type SagaState = ExpectedSaga | Saga

/** A compensation that is tried for ever must not fill the state. */
const notesKept = 50

/** The saga with one more line of its history. */
export function noted(saga: Saga, nowMs: number, note: Omit<SagaNote, 'at'>): Saga {
  const history = [...saga.history, { at: timeText(nowMs), ...note }]
  return { ...saga, history: history.slice(-notesKept) }
}

/** As it is stored: what people look for first stands first. */
export function inOrder(saga: Saga): Saga {
  const { status, step, failures, isUnderWay, dueAt, reason, error, startedAt, deadline, endedAt, ...rest } = saga
  return { status, step, failures, isUnderWay, dueAt, reason, error, startedAt, deadline, endedAt, ...rest }
}

/** True when it has come so far that nothing happens any more by itself. */
export function hasEnded({ status }: SagaState): boolean {
  return status === 'completed' || status === 'compensated' || status === 'stuck'
}
