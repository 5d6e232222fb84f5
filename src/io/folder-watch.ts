import { type FSWatcher, watch } from 'node:fs'
import { sep } from 'node:path'

/** That something happened in a folder; what it was, only looking can tell. */
export interface FolderHint {
  /** As it was given to `add`. */
  readonly folder: string
  /** Of what changed, below the folder, with `/` between names; undefined when the system does not say. */
  readonly name: string | undefined
  /** It came, went or was renamed; else only its content or attributes changed. */
  readonly isMove: boolean
}

/** Hints from the operating system about folders. They may be lost (a full queue, a network folder): look now and then anyway. */
export interface FolderWatch {
  /**
   * Watches from before it returns; a folder that is watched already is watched anew, as another one may stand there.
   * False when the system has no more watches to give.
   */
  add(folder: string): boolean
  remove(folder: string): void
  close(): void
}

/** A watch on folders, each without the folders in it, or (`isDeep`) with everything below. */
export function openFolderWatch(onHint: (hint: FolderHint) => void, isDeep = false): FolderWatch {
  const watchers = new Map<string, FSWatcher>()
  const remove = (folder: string): void => {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }
  return {
    add(folder) {
      const before = watchers.get(folder)
      try {
        const watcher = watch(folder, { persistent: false, recursive: isDeep }, (event, name) => {
          onHint({ folder, name: name?.replaceAll(sep, '/'), isMove: event === 'rename' })
        })
        // On Windows a folder that is removed ends its watcher so; looking at the folder above finds out.
        watcher.on('error', () => {
          watcher.close()
          onHint({ folder, name: undefined, isMove: true })
        })
        watchers.set(folder, watcher)
        return true
      } catch (error) {
        watchers.delete(folder)
        // A folder that is gone or closed to us needs no watch.
        return !['ENOSPC', 'EMFILE', 'ENFILE'].includes(String((error as NodeJS.ErrnoException).code))
      } finally {
        // Only now: in between nothing is missed.
        before?.close()
      }
    },
    remove,
    close() {
      for (const folder of [...watchers.keys()]) remove(folder)
    },
  }
}
