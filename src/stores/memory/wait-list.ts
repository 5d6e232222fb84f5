/** Who waits for a newer event. */
export interface WaitList {
  /** Resolves at the next `wake`, or when the signal aborts. */
  add(signal: AbortSignal): Promise<void>
  wake(): void
}

/** An empty list of waiters. */
export function createWaitList(): WaitList {
  const waiting = new Set<() => void>()
  return {
    add: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve()
          return
        }
        const end = () => {
          waiting.delete(end)
          signal.removeEventListener('abort', end)
          resolve()
        }
        waiting.add(end)
        signal.addEventListener('abort', end)
      }),
    wake: () => {
      for (const end of [...waiting]) end()
    },
  }
}
