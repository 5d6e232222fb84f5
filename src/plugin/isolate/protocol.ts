import type { MessagePort } from 'node:worker_threads'
import type { Json, StoredRecord } from '../../core/event.ts'
import type { Log, LogFields } from '../../core/platform.ts'

/** What a thread is started with. The port is its own: what stages send over that of the thread disturbs nobody. */
export interface ThreadData {
  readonly port: MessagePort
}

/** A function that runs in a thread: which one of which file. */
export interface Target {
  /** URL of the module. */
  readonly url: string
  /** The export's name. */
  readonly name: string
}

/** One call of the function: what a stage is given, without what cannot leave its thread. */
export interface WireCall {
  readonly record: StoredRecord
  readonly context: Readonly<Record<string, Json>>
  readonly attempt: number
  readonly now: number
  /** The function's second argument. */
  readonly own: unknown
}

/** To the thread. One without a call only loads the function. */
export type Request =
  | { readonly kind: 'call'; readonly id: number; readonly target: Target; readonly call?: WireCall | undefined }
  | { readonly kind: 'abort'; readonly reason: string }

/** From the thread. */
export type Reply =
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly problem: string }
  | {
      readonly kind: 'log'
      readonly id: number
      readonly level: keyof Log
      readonly message: string
      readonly fields?: LogFields | undefined
    }
