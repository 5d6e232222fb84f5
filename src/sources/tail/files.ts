import { lstat, stat } from 'node:fs/promises'
import { AppError, messageOf } from '../../core/errors.ts'
import type { SourceContext } from '../../plugin/source.ts'
import { type Found, find, findRenamed, type Target } from './find.ts'
import { endOf, type Followed, firstBytes, follow, type OpenedFile, openFile, startOf } from './follow.ts'
import { isPrintOf, type Position } from './position.ts'

export interface FilesOptions {
  readonly targets: readonly Target[]
  readonly maxLineBytes: number
  readonly maxFiles: number
  readonly followLinks: boolean
  /** Files that nothing matches any more are read for so long after they last grew: their writer may not know yet. */
  readonly lingerMs: number
  readonly context: SourceContext
  readonly onFolder: (folder: string) => void
}

/** The files that are followed: those that match, and those that did and are read to their end. */
export interface Files {
  readonly open: readonly Followed[]
  /** Of every file that is known, open or not. */
  positions(): Position[]
  /** Looks for files that are new, renamed or gone. `from` says where files begin that are not known. */
  find(from: 'start' | 'end'): Promise<void>
  /** Files that have been left and quiet for long; call `drop` when their last line is taken. */
  left(): readonly Followed[]
  drop(file: Followed): Promise<void>
  close(): Promise<void>
}

/** Finds files again by device and inode, wherever they were renamed to. */
export function createFiles(stored: readonly Position[], options: FilesOptions): Files {
  const { targets, maxLineBytes, maxFiles, followLinks, context } = options
  const { clock, log } = context
  const complained = new Set<string>()
  let open: Followed[] = []
  // Of files that are not open now: renamed away while the process was down, gone, or read to their end.
  let known = [...stored]
  let isFirst = true

  const complain = (path: string, problem: string): void => {
    if (complained.has(path) || complained.size > 1000) return
    complained.add(path)
    log.warn('a file is not followed', { path, problem })
  }

  /** The position that belongs to a file, if it was read before. */
  const remembered = async ({ handle, stats }: OpenedFile): Promise<Position | 'reused' | undefined> => {
    const [device, inode] = [String(stats.dev), String(stats.ino)]
    const sameInode = known.filter((position) => position.inode === inode)
    if (sameInode.length === 0) return undefined
    const first = await firstBytes(handle)
    const fits = (position: Position): boolean =>
      Number(stats.size) >= position.offset && isPrintOf(position.print, first)
    const exact = sameInode.find((position) => position.device === device)
    if (exact !== undefined && fits(exact)) return exact
    // The number of a device may change with a restart of the machine.
    const moved = sameInode.find((position) => position.print.bytes > 0 && fits(position))
    return moved ?? (exact === undefined ? undefined : 'reused')
  }

  const add = async (place: Found, from: 'start' | 'end'): Promise<void> => {
    const info = await (followLinks ? stat : lstat)(place.path, { bigint: true }).catch(() => undefined)
    const before = info && open.find((file) => isOf(file, info))
    if (before !== undefined) {
      before.path = place.path
      before.isMatched = true
      return
    }
    const opened = await openFile(place.path, followLinks)
    if (opened === undefined) return
    if (typeof opened === 'string') return complain(place.path, opened)
    const { stats } = opened
    if (open.length >= maxFiles) {
      await opened.handle.close()
      throw new AppError(
        'plugin-failed',
        `following files: more than ${maxFiles} match; narrow the pattern or raise maxFiles`,
      )
    }
    const mine = await remembered(opened)
    const generation = generationOf(known, stats)
    const start = startOf(stats, place, mine === 'reused' ? generation + 1 : generation)
    const position =
      typeof mine === 'object'
        ? { ...mine, device: String(stats.dev) }
        : from === 'end'
          ? await endOf(opened, start, maxLineBytes)
          : start
    known = known.filter(({ inode }) => inode !== String(stats.ino))
    open.push(Object.assign(follow(opened, position, maxLineBytes, clock.monotonic), { path: place.path }))
  }

  /** Files that were renamed within their folder while nobody looked: the rest of them is read. */
  const addRenamed = async (): Promise<void> => {
    for (const position of [...known]) {
      const path = await findRenamed(position.path, position.inode)
      if (path === undefined || open.some((file) => file.position.inode === position.inode)) continue
      const opened = await openFile(path, followLinks)
      if (typeof opened !== 'object') continue
      if ((await remembered(opened)) === position) {
        known = known.filter((each) => each !== position)
        open.push(Object.assign(follow(opened, position, maxLineBytes, clock.monotonic), { path, isMatched: false }))
      } else await opened.handle.close()
    }
  }

  return {
    get open() {
      return open
    },
    positions() {
      const nowMs = clock.now()
      for (const file of open) file.position = { ...file.position, path: file.path, seenMs: nowMs }
      return [...open.map(({ position }) => position), ...known]
    },
    async find(from) {
      const places = (await Promise.all(targets.map((target) => find(target, followLinks, options.onFolder)))).flat()
      for (const file of open) file.isMatched = false
      for (const place of places) {
        try {
          await add(place, from)
        } catch (error) {
          if (error instanceof AppError) throw error
          complain(place.path, messageOf(error))
        }
      }
      if (isFirst) await addRenamed()
      isFirst = false
    },
    left: () => open.filter((file) => !file.isMatched && clock.monotonic() - file.quietSince >= options.lingerMs),
    async drop(file) {
      open = open.filter((each) => each !== file)
      known.push(file.position)
      await file.close()
    },
    async close() {
      await Promise.all(open.map((file) => file.close()))
      open = []
    },
  }
}

function isOf({ position }: Followed, stats: { readonly dev: bigint; readonly ino: bigint }): boolean {
  return position.device === String(stats.dev) && position.inode === String(stats.ino)
}

function generationOf(
  known: readonly Position[],
  { dev, ino }: { readonly dev: bigint; readonly ino: bigint },
): number {
  return known.find(({ device, inode }) => device === String(dev) && inode === String(ino))?.generation ?? 0
}
