import { AppError } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'

/** Where the log begins and ends, as the main thread knows it, and who waits for it to grow. */
export interface Heads {
  head(): Sequence
  oldest(): Sequence
  moveHead(head: Sequence): void
  moveOldest(oldest: Sequence): void
  wait(after: Sequence, signal: AbortSignal): Promise<void>
  /** Rejects all that wait: the store is closing. */
  close(): void
}

export function createHeads(start: { readonly head: Sequence; readonly oldest: Sequence }): Heads {
  let { head, oldest } = start
  const waiting = new Set<{ after: Sequence; finish(error?: AppError): void }>()
  return {
    head: () => head,
    oldest: () => oldest,
    moveHead(to) {
      head = Math.max(head, to)
      for (const waiter of [...waiting]) if (head > waiter.after) waiter.finish()
    },
    moveOldest(to) {
      oldest = Math.max(oldest, to)
    },
    wait(after, signal) {
      return new Promise((resolve, reject) => {
        if (head > after || signal.aborted) {
          resolve()
          return
        }
        const onAbort = (): void => waiter.finish()
        const waiter = {
          after,
          finish(error?: AppError): void {
            waiting.delete(waiter)
            signal.removeEventListener('abort', onAbort)
            if (error === undefined) resolve()
            else reject(error)
          },
        }
        waiting.add(waiter)
        signal.addEventListener('abort', onAbort, { once: true })
      })
    },
    close() {
      for (const waiter of [...waiting])
        waiter.finish(new AppError('store-closed', 'waiting for new events: the SQLite store was closed.'))
    },
  }
}
