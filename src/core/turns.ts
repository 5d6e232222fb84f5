/** Lets work of one name run one at a time, in the order in which it came. */
export interface Turns {
  /** Runs the work when all of its name that came before has ended, well or not. Answers what the work answers. */
  take<T>(name: string, work: () => Promise<T>): Promise<T>
}

/** Makes turns. A name is forgotten when nothing of it is left. */
export function createTurns(): Turns {
  const last = new Map<string, Promise<void>>()
  return {
    async take(name, work) {
      const mine = last.get(name)?.then(work) ?? work()
      const ended = mine.then(
        () => undefined,
        () => undefined,
      )
      last.set(name, ended)
      try {
        return await mine
      } finally {
        if (last.get(name) === ended) last.delete(name)
      }
    },
  }
}
