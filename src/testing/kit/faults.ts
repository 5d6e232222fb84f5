import { AppError } from '../../core/errors.ts'
import type { Commit } from '../../plugin/store.ts'

/** Where a process may be made to crash. */
export const crashPoints = {
  'before-commit': 'events have reached the store, and nothing of them is stored',
  'after-commit-before-ack': 'events are stored, and whoever published them gets no answer',
  'during-stage': 'a stage has begun and not ended',
  'after-stage-before-commit': 'a stage has answered, and its result is not stored',
  'after-stage-commit': 'the result of a stage is stored, and the next step has not begun',
  'during-sink': 'a sink has begun to deliver and not ended',
  'after-sink-before-commit': 'a sink has answered, and nothing of it is stored',
  'after-lease-before-answer': 'a batch is leased to a pull client, which gets no answer',
  'after-confirm-before-answer': 'a batch of a pull client is confirmed, and the client gets no answer',
} as const
export type CrashPoint = keyof typeof crashPoints

/** Narrows where a crash comes. */
export interface CrashPlace {
  /** Only for this subscription. Default: any; appends have none. */
  readonly subscription?: string | undefined
  /** Only for the stage of this name. Default: any. */
  readonly stage?: string | undefined
  /** The how-manieth time that the point is passed, from 1. Default: 1. */
  readonly nth?: number | undefined
}

/** How a write to the store may fail. */
export const storeFailures = {
  'disk full': {
    isStored: false,
    error: () =>
      new AppError(
        'store-full',
        'writing to the store failed: the test says that the disk is full. Nothing was stored.',
      ),
  },
  'i/o error': { isStored: false, error: unknownEnd },
  'answer lost': { isStored: true, error: unknownEnd },
} as const
export type StoreFailure = keyof typeof storeFailures

function unknownEnd(): AppError {
  return new AppError(
    'store-indeterminate',
    'writing to the store failed: the test says so. The write may or may not be there.',
  )
}

/** What goes wrong in a test, and when. */
export interface Faults {
  /** The crash that is to come; undefined when there is none. */
  readonly armed: CrashPoint | undefined
  arm(point: CrashPoint, place: CrashPlace): void
  disarm(): void
  /** True when the crash is to come here, now. */
  hits(point: CrashPoint, at?: { readonly subscription?: string; readonly stage?: string }): boolean
  failStore(how: StoreFailure, times: number): void
  /** How the next write is to fail. */
  nextFailure(): (typeof storeFailures)[StoreFailure] | undefined
}

/** No faults yet. */
export function createFaults(): Faults {
  let armed: { readonly point: CrashPoint; readonly place: CrashPlace; left: number } | undefined
  let failing: { readonly how: StoreFailure; left: number } | undefined
  return {
    get armed() {
      return armed?.point
    },
    arm(point, place) {
      armed = { point, place, left: place.nth ?? 1 }
    },
    disarm() {
      armed = undefined
    },
    hits(point, at = {}) {
      if (armed?.point !== point) return false
      const { subscription = at.subscription, stage = at.stage } = armed.place
      if (subscription !== at.subscription || stage !== at.stage) return false
      armed.left -= 1
      if (armed.left > 0) return false
      armed = undefined
      return true
    },
    failStore(how, times) {
      failing = { how, left: times }
    },
    nextFailure() {
      if (failing === undefined || failing.left <= 0) return undefined
      failing.left -= 1
      return storeFailures[failing.how]
    },
  }
}

type Passed = readonly [CrashPoint, { readonly subscription?: string; readonly stage?: string }]

/** The points that a commit passes once it is stored. */
export function pointsAfter({ events = [], ledgers }: Commit): readonly Passed[] {
  if (ledgers === undefined) return events.length > 0 ? [['after-commit-before-ack', {}]] : []
  return ledgers.flatMap(({ subscription, put = [], batches = [] }): readonly Passed[] => [
    ...put.flatMap(({ done }): readonly Passed[] => {
      const stage = done.at(-1)
      return stage === undefined ? [] : [['after-stage-commit', { subscription, stage }]]
    }),
    ...batches.map((batch): Passed => {
      const isLease = batch.kind === 'offered' && !batch.isConfirmed
      return [isLease ? 'after-lease-before-answer' : 'after-confirm-before-answer', { subscription }]
    }),
  ])
}

/** True for a commit by which events come in, from a publisher or a source. */
export function isAppend({ events = [], ledgers }: Commit): boolean {
  return ledgers === undefined && events.length > 0
}
