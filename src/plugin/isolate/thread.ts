import { MessageChannel, Worker } from 'node:worker_threads'
import { messageOf } from '../../core/errors.ts'
import type { Log } from '../../core/platform.ts'
import type { Reply, Request, Target, ThreadData, WireCall } from './protocol.ts'

/** A call that was aborted may take this long to end by itself. A stop waits a second longer than attempts may take. */
const graceMs = 250

/** Work for a thread. */
export interface Job {
  readonly target: Target
  /** Absent: the function is only loaded. */
  readonly call?: WireCall | undefined
  readonly signal: AbortSignal
  readonly log: Log
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A worker thread seen from the main thread. It has one job at a time. */
export interface Thread {
  readonly isFree: boolean
  run(job: Job): void
  /** Ends it; its job is rejected. */
  terminate(reason: Error): Promise<void>
}

export interface ThreadEvents {
  /** A job has ended in good order; the thread is free. */
  onFree(): void
  /** It takes no more jobs. `isDeath`: nobody here ended it. */
  onEnd(thread: Thread, isDeath: boolean): void
}

/** Starts a thread with at most so much memory for objects. Only a job keeps the process alive. */
export function startThread(memoryMb: number, { onFree, onEnd }: ThreadEvents): Thread {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const { port1: ours, port2: theirs } = new MessageChannel()
  const data: ThreadData = { port: theirs }
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    workerData: data,
    transferList: [theirs],
    name: 'millrace-stages',
    resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: 16 },
  })
  worker.unref()
  let current: { readonly id: number; readonly job: Job; readonly onAbort: () => void } | undefined
  let lastId = 0
  let lastLog: Log | undefined
  let grace: NodeJS.Timeout | undefined
  let problem: string | undefined
  let hasEnded = false
  const send = (request: Request): void => ours.postMessage(request)

  const release = (): Job | undefined => {
    clearTimeout(grace)
    const ended = current
    current = undefined
    ended?.job.signal.removeEventListener('abort', ended.onAbort)
    worker.unref()
    return ended?.job
  }
  const end = (reason: Error, isDeath: boolean): void => {
    if (hasEnded) return
    hasEnded = true
    ours.close()
    const job = release()
    onEnd(thread, isDeath)
    if (job === undefined && isDeath)
      lastLog?.warn('a worker thread of isolated stages ended between two calls', { error: reason.message })
    job?.reject(reason)
  }

  ours.on('message', (reply: Reply) => {
    if (current?.id !== reply.id) return
    if (reply.kind === 'log') {
      current.job.log[reply.level](reply.message, reply.fields)
      return
    }
    const job = release()
    onFree()
    if (reply.kind === 'done') job?.resolve(reply.value)
    else job?.reject(new Error(reply.problem))
  })
  ours.unref()
  worker.on('error', (error: unknown) => {
    const isFull = (error as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
    problem = isFull ? `it used more than ${memoryMb} MiB of memory` : messageOf(error)
  })
  worker.on('exit', (code) => end(new Error(`its worker thread ended: ${problem ?? `exit code ${code}`}`), true))

  const thread: Thread = {
    get isFree() {
      return current === undefined && !hasEnded
    },
    run(job) {
      const id = ++lastId
      const onAbort = (): void => {
        send({ kind: 'abort', reason: messageOf(job.signal.reason) })
        grace = setTimeout(() => void thread.terminate(new Error('it did not end when it was told to')), graceMs)
      }
      current = { id, job, onAbort }
      lastLog = job.log
      worker.ref()
      send({ kind: 'call', id, target: job.target, call: job.call })
      job.signal.addEventListener('abort', onAbort, { once: true })
    },
    async terminate(reason) {
      end(reason, false)
      await worker.terminate()
    },
  }
  return thread
}
