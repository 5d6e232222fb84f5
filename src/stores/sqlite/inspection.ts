import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { AppError } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'
import type { Store } from '../../plugin/store.ts'
import type { Heads } from './heads.ts'
import type { InspectorOperations } from './inspect.ts'
import type { StreamPlace } from './inspect-streams.ts'
import { openPort, type Port } from './port.ts'
import type { WriterData } from './protocol.ts'

const mostProblems = 20

/** Backup and verification, each on a thread of its own for as long as it takes. */
export function inspectionMethods(
  data: WriterData,
  heads: Heads,
  directory: string,
  refresh: () => Promise<void>,
): Pick<Store, 'backup' | 'verify'> {
  const inspect = async <T>(work: (inspector: Port<InspectorOperations>) => Promise<T>): Promise<T> => {
    const inspector = openPort<InspectorOperations>('inspector', data)
    try {
      return await work(inspector)
    } finally {
      await inspector.call('close').catch(() => undefined)
      await inspector.terminate()
    }
  }
  return {
    async backup(path, onProgress) {
      const target = resolve(directory, path)
      if (existsSync(target))
        throw new AppError(
          'state-conflict',
          `backing up to ${target}: the file exists. Choose a new name; nothing was changed.`,
        )
      const pages = await inspect((inspector) => inspector.call('backup', target))
      onProgress?.(pages, pages)
    },
    async verify(onProgress) {
      await refresh()
      const [oldest, head] = [heads.oldest(), heads.head()]
      const total = head - oldest + 1
      return inspect(async (inspector) => {
        const problems = [...(await inspector.call('structure'))]
        let events = 0
        for (let from: Sequence = oldest; from !== 0 && from <= head && problems.length < mostProblems; ) {
          // Retention may move on meanwhile; what it removes is not missing.
          const slice = await inspector.call('events', Math.max(from, heads.oldest()), head)
          problems.push(...slice.problems)
          events += slice.events
          from = slice.next
          onProgress?.(events, total)
        }
        for (let place: StreamPlace | undefined, isMore = true; isMore && problems.length < mostProblems; ) {
          const slice = await inspector.call('streams', place)
          problems.push(...slice.problems)
          place = slice.next
          isMore = place !== undefined
        }
        problems.push(...(await inspector.call('identities')))
        return { ok: problems.length === 0, events, problems: problems.slice(0, mostProblems) }
      })
    },
  }
}
