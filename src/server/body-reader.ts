import { Worker } from 'node:worker_threads'
import type { ReadLimits } from '../core/cloud-event.ts'
import { AppError, type ErrorCode, messageOf } from '../core/errors.ts'
import type { CheckedEvent } from '../core/event-check.ts'
import type { Issue } from '../core/issues.ts'
import { type BodyForm, type ReadBody, readBody } from './read-body.ts'

/** Bodies above this size are read in a thread of their own: below, handing them over costs more than reading them. SEC-32 */
export const offLoopBytes = 256 * 1024
/** The thread ends when no large body has come for so long. */
const idleMs = 30_000

export interface WireRequest {
  readonly id: number
  readonly bytes: Uint8Array
  readonly form: BodyForm
  readonly limits: ReadLimits
}

export type WireReply =
  | { readonly id: number; readonly kind: 'events'; readonly events: readonly CheckedEvent[] }
  | { readonly id: number; readonly kind: 'end'; readonly isBatch: boolean }
  | { readonly id: number; readonly kind: 'unreadable'; readonly isBatch: boolean; readonly issues: readonly Issue[] }
  | { readonly id: number; readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }

/** Reads bodies: small ones at once, large ones without holding up the event loop. */
export interface BodyReader {
  read(bytes: Uint8Array, form: BodyForm, limits: ReadLimits): ReadBody | Promise<ReadBody>
}

interface Open {
  readonly events: CheckedEvent[]
  resolve(body: ReadBody): void
  reject(error: unknown): void
}

/** A reader that starts its thread with the first large body. The thread keeps no process alive. */
export function createBodyReader(): BodyReader {
  let thread: { read(request: Omit<WireRequest, 'id'>): Promise<ReadBody> } | undefined
  return {
    read(bytes, form, limits) {
      if (bytes.length <= offLoopBytes) return readBody(bytes, form, limits)
      thread ??= startThread(() => {
        thread = undefined
      })
      return thread.read({ bytes, form, limits })
    },
  }
}

function startThread(onEnd: () => void) {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./body-worker.${extension}`, import.meta.url), {
    name: 'millrace-bodies',
    resourceLimits: { maxYoungGenerationSizeMb: 16 },
  })
  worker.unref()
  const open = new Map<number, Open>()
  let lastId = 0
  const idle = setTimeout(() => {
    if (open.size === 0) void worker.terminate()
    else idle.refresh()
  }, idleMs).unref()

  const finish = (error: AppError): void => {
    clearTimeout(idle)
    onEnd()
    for (const { reject } of open.values()) reject(error)
    open.clear()
  }
  worker.on('message', (reply: WireReply) => {
    const waiting = open.get(reply.id)
    if (waiting === undefined) return
    if (reply.kind === 'events') {
      waiting.events.push(...reply.events)
      return
    }
    open.delete(reply.id)
    if (open.size === 0) worker.unref()
    idle.refresh()
    answer(waiting, reply)
  })
  worker.on('error', (error) =>
    finish(new AppError('overloaded', `reading a large body failed: ${messageOf(error)}. Send it in smaller parts.`)),
  )
  worker.on('exit', () => finish(new AppError('overloaded', 'reading a large body was broken off: send it again')))

  return {
    read(request: Omit<WireRequest, 'id'>): Promise<ReadBody> {
      return new Promise((resolve, reject) => {
        const id = ++lastId
        // A view would take all that lies around it along.
        const { bytes } = request
        const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()
        worker.postMessage({ id, ...request, bytes: own } satisfies WireRequest)
        open.set(id, { events: [], resolve, reject })
        if (open.size === 1) worker.ref()
      })
    },
  }
}

function answer({ events, resolve, reject }: Open, reply: Exclude<WireReply, { kind: 'events' }>): void {
  switch (reply.kind) {
    case 'end':
      resolve({ isBatch: reply.isBatch, result: { ok: true, events } })
      return
    case 'unreadable':
      resolve({ isBatch: reply.isBatch, result: { ok: false, issues: reply.issues } })
      return
    case 'failed':
      reject(new AppError(reply.code, reply.message))
      return
  }
}
