import { hash } from 'node:crypto'
import { createHunt, endHunted } from './hunt.ts'
import { canListProcesses, isAlive, processNamespace, readProcess } from './table.ts'

let owners = 0

/** Marks the processes of one plug-in, so that they can be told from those of others and of an earlier life. */
export interface Owner {
  /** A mark for one run, never used again. */
  nextMark(): string
  /** Kills everything this life started that still runs. Answers how many could not be ended. */
  endAll(): Promise<number>
  /** Kills what an earlier process with the same plug-in left when it died. Answers how many it found. */
  endAbandoned(): Promise<number>
}

/**
 * A mark is `<who>.<pid>.<start of that process>.<owner>.<run>`: `who` is the same in every life (folder and name of the
 * plug-in), pid and start say which life, so that a second process that runs now is never touched.
 */
export function createOwner(directory: string, name: string): Owner {
  const who = hash('sha256', JSON.stringify([processNamespace(), directory, name]), 'base64url').slice(0, 22)
  const life = `${who}.${process.pid}.${readProcess(process.pid)?.startedAt ?? '0'}.${++owners}`
  let runs = 0

  const isAbandoned = (mark: string): boolean => {
    const [owner, pid, startedAt = ''] = mark.split('.')
    return owner === who && !isAlive({ pid: Number(pid), startedAt })
  }
  return {
    nextMark: () => `${life}.${++runs}`,
    endAll: () => (runs === 0 ? Promise.resolve(0) : endHunted(ownedBy(life), 0)),
    async endAbandoned() {
      if (!canListProcesses) return 0
      let found = 0
      const seen = new Set<string>()
      const hunt = createHunt((mark) => {
        if (!isAbandoned(mark)) return false
        if (!seen.has(mark)) found += 1
        seen.add(mark)
        return true
      })
      await endHunted(hunt, 0)
      return found
    },
  }
}

const ownedBy = (life: string) => createHunt((mark) => mark.startsWith(`${life}.`))
