import { Worker } from 'node:worker_threads'
import { AppError, messageOf } from '../../core/errors.ts'
import { fromWire } from './failure.ts'
import type { Reply, Request } from './protocol.ts'

type Operations = Record<string, (...args: never[]) => unknown>

/** A worker thread seen from the main thread: calls by name, answered in the order in which the worker finishes them. */
export interface Port<Ops extends object> {
  call<Op extends keyof Ops & string>(
    op: Op,
    ...args: Ops[Op] extends (...args: infer Args) => unknown ? Args : never
  ): Promise<Ops[Op] extends (...args: never[]) => infer Value ? Awaited<Value> : never>
  /** Ends the thread; what was not answered is rejected. */
  terminate(): Promise<void>
}

interface OpenCall {
  readonly id: number
  resolve(value: never): void
  reject(error: unknown): void
}

/** The default lets garbage of passing batches grow to 48 MiB a thread; 16 measured no slower. */
const youngMb = 16

/**
 * Starts a worker from a module beside this one, in the language this one runs in (.ts from source, .js when compiled).
 * It keeps the process alive only while a call is open: an append that was handed in is finished, an idle store stops nobody.
 */
export function openPort<Ops extends object = Operations>(
  module: 'writer' | 'reader' | 'checkpointer' | 'inspector',
  workerData: unknown,
): Port<Ops> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./${module}.${extension}`, import.meta.url), {
    workerData,
    name: `millrace-sqlite-${module}`,
    resourceLimits: { maxYoungGenerationSizeMb: youngMb },
  })
  worker.unref()
  // A list: they end in the order of their coming but for a few, and a Map keeps answers alive that are long over (core/chain).
  const open: OpenCall[] = []
  let lastId = 0
  let ended: AppError | undefined

  const finish = (error: AppError): void => {
    for (const call of open.splice(0)) call.reject(error)
    ended ??= new AppError('store-closed', `the SQLite ${module} thread has ended. Open the store again.`)
  }
  worker.on('message', (reply: Reply) => {
    const at = open.findIndex(({ id }) => id === reply.id)
    if (at === -1) return
    const [call] = open.splice(at, 1) as [OpenCall]
    if (open.length === 0) worker.unref()
    if ('failure' in reply) call.reject(fromWire(reply.failure))
    else call.resolve(reply.value as never)
  })
  worker.on('error', (error) => {
    finish(
      new AppError(
        'store-indeterminate',
        `the SQLite ${module} thread died: ${messageOf(error)}. Open the store again.`,
        { cause: error },
      ),
    )
  })
  worker.on('exit', () =>
    finish(new AppError('store-closed', `the SQLite ${module} thread has ended. Open the store again.`)),
  )

  return {
    call(op, ...args) {
      return new Promise((resolve, reject) => {
        if (ended !== undefined) {
          reject(ended)
          return
        }
        const id = ++lastId
        const request: Request = { id, op, args }
        worker.postMessage(request)
        open.push({ id, resolve, reject })
        if (open.length === 1) worker.ref()
      })
    },
    async terminate() {
      await worker.terminate()
    },
  }
}
