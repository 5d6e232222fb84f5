import { lstat, mkdir, realpath, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../../core/errors.ts'
import type { SourceContext } from '../../plugin/source.ts'
import { type Candidate, look } from './scan.ts'

export const afterChoices = ['move', 'mark', 'delete'] as const
export type After = (typeof afterChoices)[number]

/** What becomes of a file whose events are stored. */
export interface Folder {
  /** The real path, found once at the start. */
  readonly root: string
  /** The file is stored whole. */
  done(file: Candidate, contentHash: string): Promise<void>
  /** The file, or some of its events, could not be taken: it is put aside with the reason beside it. */
  fail(file: Candidate, reason: string): Promise<void>
  /** Whether a mark says that this very file was stored; asks for the hash only when the fingerprint differs. */
  isMarked(file: Candidate, contentHash?: string): Promise<boolean>
  /** Forgets the marks of files that are gone. */
  forget(names: ReadonlySet<string>): Promise<void>
}

const markPrefix = 'done:'

/** Opens the drop folder, making it and the folders for finished and failed files when missing. */
export async function openFolder(path: string, after: After, state: SourceContext['state']): Promise<Folder> {
  const root = await openRoot(path, after)
  const marks = new Map<string, { fingerprint: string; hash: string }>()
  if (after === 'mark') {
    for (const { key, value } of await state.list(markPrefix))
      marks.set(key.slice(markPrefix.length), JSON.parse(value))
  }
  const mark = async (file: Candidate, contentHash: string): Promise<void> => {
    const value = { fingerprint: file.fingerprint, hash: contentHash }
    marks.set(file.name, value)
    await state.set(markPrefix + file.name, JSON.stringify(value))
  }
  return {
    root,
    async done(file, contentHash) {
      if (after === 'mark') return mark(file, contentHash)
      if (!(await isUnchanged(file))) return
      if (after === 'delete') return unlink(file.path)
      await rename(file.path, await freeName(join(root, '.done'), file.name, contentHash))
    },
    async fail(file, reason) {
      if (!(await isUnchanged(file))) return
      const target = await freeName(join(root, '.failed'), file.name, file.fingerprint)
      // The reason first: a file in .failed without one would say nothing.
      await writeFile(`${target}.error.txt`, `${reason}\n`, { mode: 0o600 })
      await rename(file.path, target)
    },
    async isMarked(file, contentHash) {
      const known = marks.get(file.name)
      if (known === undefined) return false
      if (known.fingerprint === file.fingerprint) return true
      if (known.hash !== contentHash) return false
      await mark(file, contentHash)
      return true
    },
    async forget(names) {
      for (const name of marks.keys()) {
        if (names.has(name)) continue
        marks.delete(name)
        await state.delete(markPrefix + name)
      }
    },
  }
}

async function openRoot(path: string, after: After): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    const root = await realpath(path)
    if (after === 'move') await ownFolder(join(root, '.done'))
    return root
  } catch (error) {
    const message = `opening the folder ${path} to read files from it failed: ${messageOf(error)}; give the source a folder that this user can read and write`
    throw new AppError('plugin-failed', message, { cause: error })
  }
}

/** A folder of ours: made when missing, and never a link that leads files elsewhere. */
async function ownFolder(path: string): Promise<string> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  if (!(await lstat(path)).isDirectory()) throw new Error(`${path} is not a folder`)
  return path
}

/** A path that takes nothing away: the name itself, or with a part of the hash and a number when it is taken. */
async function freeName(folder: string, name: string, hash: string): Promise<string> {
  await ownFolder(folder)
  const plain = join(folder, name)
  const hashed = `${plain}.${hash.replaceAll(/\W/g, '').slice(0, 12)}`
  for (let n = 0; ; n++) {
    const path = n === 0 ? plain : n === 1 ? hashed : `${hashed}.${n}`
    if ((await lstat(path).catch(() => undefined)) === undefined) return path
  }
}

/** A file that changed after it was read stays where it is, and is read again. */
async function isUnchanged(file: Candidate): Promise<boolean> {
  const now = await look(file.path, file.name)
  return typeof now === 'object' && now.fingerprint === file.fingerprint
}
