import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../../core/errors.ts'
import { type FolderHint, openFolderWatch } from '../../io/folder-watch.ts'
import type { SourceContext } from '../../plugin/source.ts'
import type { Change, Snapshot } from './snapshot.ts'
import { createTree, type Look, type Scope } from './tree.ts'

export interface RootOptions {
  readonly path: string
  readonly scope: Scope
  readonly snapshot: Snapshot
  readonly context: SourceContext
  /** How often to look at everything. */
  readonly everyMs: number
  readonly settleMs: number
  /** Called when it is worth looking again. */
  readonly onHint: () => void
}

export interface RootLook {
  readonly changes: readonly Change[]
  /** True when with these changes everything was looked at. */
  readonly isWhole: boolean
}

/** Is it still the same root? Cheap enough to ask each second. */
const rootEveryMs = 1000
/** Where the system gives no hints (its watches are used up), everything is looked at this often. */
const blindEveryMs = 10_000
/** A look at everything takes at most a twentieth of the time. */
const restPerWork = 20
/**
 * So many hints between two looks may be all that a full queue let through: Linux drops what is beyond 16,384 without a
 * word that reaches us. Everything is looked at once it is calmer.
 */
const burstHints = 2000
/** Beyond it, looking at everything is as quick. */
const maxDirty = 20_000

// One watch sees the whole tree there; elsewhere each folder has its own.
const isDeep = process.platform === 'darwin' || process.platform === 'win32'

/** Follows one root: through its removal and return, and through hints that come or are lost. */
export function createRoot({ path, scope, snapshot, context, everyMs, settleMs, onHint }: RootOptions) {
  const { clock, log, signal } = context
  let opened: { readonly id: string; readonly real: string; readonly tree: ReturnType<typeof createTree> } | undefined
  let dirty = new Map<string, boolean>()
  let hints = 0
  let mustScan = true
  let isRestless = false
  let isBlind = false
  let hasSuspects = false
  let absentFor = 0
  let scanAt = 0

  const watch = openFolderWatch(({ folder, name, isMove }: FolderHint) => {
    if (opened === undefined) return
    hints++
    const prefix = folder === opened.real ? '' : `${folder.slice(opened.real.length + 1).replaceAll('\\', '/')}/`
    const own = prefix === '' ? '' : prefix.slice(0, -1)
    const last = (own || opened.real.replaceAll('\\', '/')).split('/').at(-1)
    // What happens to the folder itself comes under its own name; nothing is told of it from then on.
    if (isMove && (name === undefined || name === last)) {
      if (own === '') mustScan = true
      else dirty.set(own, true)
    }
    if (name !== undefined && scope.reaches(prefix + name)) {
      dirty.set(prefix + name, isMove || dirty.get(prefix + name) === true)
    }
    if (dirty.size > maxDirty) {
      dirty = new Map()
      mustScan = true
    }
    onHint()
  }, isDeep)

  const open = (id: string, real: string): NonNullable<typeof opened> => {
    watch.close()
    const tree = createTree({
      root: real,
      scope,
      snapshot,
      log,
      onFolder(folder) {
        if ((isDeep && folder !== '') || watch.add(join(real, folder))) return
        if (!isBlind)
          log.warn('the system does not tell of changes in every folder; all is looked at every 10 s', { root: path })
        isBlind = true
      },
      onGone(folder) {
        for (const each of snapshot.below(folder)) watch.remove(join(real, each))
        watch.remove(join(real, folder))
      },
    })
    mustScan = true
    isBlind = false
    return { id, real, tree }
  }

  const scan = async (tree: ReturnType<typeof createTree>): Promise<Look> => {
    mustScan = false
    isRestless = false
    const began = clock.monotonic()
    const look = await tree.scan(signal)
    const ended = clock.monotonic()
    scanAt = ended + Math.max(isBlind ? Math.min(everyMs, blindEveryMs) : everyMs, (ended - began) * restPerWork)
    return look
  }

  /** The root is gone: so is everything in it, unless it is back at the next look. */
  const absent = (): RootLook => {
    watch.close()
    opened = undefined
    absentFor++
    hasSuspects = absentFor === 1
    if (absentFor === 2) log.warn('a watched folder is not there; it is waited for', { path })
    if (absentFor < 2) return { changes: [], isWhole: false }
    const changes = snapshot
      .below('')
      .map((each): Change => ({ path: each, before: snapshot.get(each), after: undefined }))
    return { changes, isWhole: true }
  }

  return {
    snapshot,
    /** The path on disk of a name below the root. */
    pathOf: (name: string): string => join(opened?.real ?? path, name),
    /** What is different from what was reported last. */
    async look(): Promise<RootLook> {
      const now = await identify(path, log)
      if (now === 'unknown') return { changes: [], isWhole: false }
      if (now === 'absent') return absent()
      absentFor = 0
      if (opened?.id !== now.id) opened = open(now.id, now.real)
      isRestless ||= hints > burstHints
      const isWhole = mustScan || clock.monotonic() >= scanAt || (isRestless && hints <= burstHints)
      hints = 0
      const paths = dirty
      dirty = new Map()
      const look = isWhole ? await scan(opened.tree) : await opened.tree.look(paths, signal)
      hasSuspects = look.hasSuspects
      return { changes: look.changes, isWhole: isWhole && !signal.aborted }
    },
    /** How long until the next look without a hint. */
    nextMs: (): number =>
      hasSuspects || isRestless || mustScan
        ? settleMs
        : Math.max(1, Math.min(rootEveryMs, opened === undefined ? rootEveryMs : scanAt - clock.monotonic())),
    close: (): void => watch.close(),
  }
}

async function identify(
  path: string,
  log: SourceContext['log'],
): Promise<{ readonly id: string; readonly real: string } | 'absent' | 'unknown'> {
  try {
    const real = await realpath(path)
    const { dev, ino } = await stat(real, { bigint: true })
    const info = await stat(real)
    if (info.isDirectory()) return { id: `${real}\n${dev}:${ino}`, real }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) return 'absent'
    log.warn('a watched folder cannot be looked at; it is tried again', { path, error: messageOf(error) })
    return 'unknown'
  }
  throw new AppError(
    'plugin-failed',
    `watching ${path}: it is not a folder; give the folder as the path and the name of the file as match`,
  )
}
