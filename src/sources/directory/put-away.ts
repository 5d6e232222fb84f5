import { messageOf } from '../../core/errors.ts'
import type { Log } from '../../core/platform.ts'
import type { Folder } from './finish.ts'
import type { Candidate } from './scan.ts'

interface Entry {
  readonly fingerprint: string
  /** What has still to be done with the file; undefined while its batch is being stored. */
  work: (() => Promise<void>) | undefined
  isReported: boolean
}

/** Remembers files that were read and are still in the folder, and puts them away once their events are stored. */
export interface PutAway {
  /** Whether this very file was read already. */
  has(file: Candidate): boolean
  /** The end of the file is in a batch that is about to be stored. */
  expect(file: Candidate): void
  done(file: Candidate, contentHash: string): Promise<void>
  fail(file: Candidate, reason: string): Promise<void>
  /** Tries again what did not work before. */
  retry(): Promise<void>
}

/** A file that cannot be put away is not read again: only the putting away is tried again, and reported once. */
export function createPutAway(folder: Folder, log: Log): PutAway {
  const entries = new Map<string, Entry>()
  const attempt = async (name: string, entry: Entry): Promise<void> => {
    try {
      await entry.work?.()
      entries.delete(name)
    } catch (error) {
      const fields = { file: name, error: messageOf(error) }
      if (!entry.isReported) log.error('a file was read but cannot be put away; it is tried again', fields)
      entry.isReported = true
    }
  }
  const begin = ({ name, fingerprint }: Candidate, work: () => Promise<void>): Promise<void> => {
    const entry = { fingerprint, work, isReported: false }
    entries.set(name, entry)
    return attempt(name, entry)
  }
  return {
    has: ({ name, fingerprint }) => entries.get(name)?.fingerprint === fingerprint,
    expect: ({ name, fingerprint }) => void entries.set(name, { fingerprint, work: undefined, isReported: false }),
    done: (file, contentHash) => begin(file, () => folder.done(file, contentHash)),
    fail(file, reason) {
      log.error('a file was put into .failed', { file: file.name, reason })
      return begin(file, () => folder.fail(file, reason))
    },
    async retry() {
      for (const [name, entry] of entries) if (entry.work !== undefined) await attempt(name, entry)
    },
  }
}
