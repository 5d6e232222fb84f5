import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, messageOf } from '../../core/errors.ts'
import type { CreateContext } from '../../plugin/define.ts'
import type { Store } from '../../plugin/store.ts'
import { createCheckpoints } from './checkpoints.ts'
import { type DedupOptions, defaultDedup } from './dedup/dedup.ts'
import { createGroupCommit } from './group-commit.ts'
import { createHeads } from './heads.ts'
import { inspectionMethods } from './inspection.ts'
import { prepareFile } from './lock.ts'
import { openPort, type Port } from './port.ts'
import type { WriterData, WriterOpened } from './protocol.ts'
import type { ReaderOperations } from './reader-operations.ts'
import { ledgerMethods, logReads, readOnlyError, type StoreParts, writeMethods } from './store.ts'
import { createTail } from './tail.ts'
import type { WriterOperations } from './writer-operations.ts'

/** Options with every default filled in; the last ones are for tests. */
export interface SqliteStoreOptions {
  readonly path: string
  readonly durability: 'disk' | 'process'
  readonly cacheBytes: number
  readonly readOnly: boolean
  readonly acceptLoss: boolean
  readonly dedup?: Partial<DedupOptions> | undefined
  readonly maxPages?: number | undefined
}

/** Opens a store: checks, migrates, takes the lock, starts the writer and the reader thread. */
export async function openSqlite(options: SqliteStoreOptions, context: CreateContext): Promise<Store> {
  const path = locate(options, context)
  const data: WriterData = {
    database: { path, durability: options.durability, cacheBytes: options.cacheBytes, maxPages: options.maxPages },
    dedup: { ...defaultDedup, ...options.dedup },
    acceptLoss: options.acceptLoss,
  }
  const writer = options.readOnly ? undefined : openPort<WriterOperations>('writer', data)
  // Both threads start at once; the reader opens the file with its first call.
  const reader = openPort<ReaderOperations>('reader', data)
  try {
    const opened = await writer?.call('open')
    const start = opened ?? (await reader.call('position'))
    return createStore({
      options,
      path,
      data,
      writer,
      reader,
      start,
      now: () => context.platform.clock.now(),
      directory: context.directory,
    })
  } catch (error) {
    await Promise.all([writer?.terminate(), reader.terminate()])
    throw error
  }
}

function locate(options: SqliteStoreOptions, context: CreateContext): string {
  const { path } = options
  if (path === ':memory' || path === ':memory:') {
    throw new AppError(
      'config-invalid',
      `the SQLite store needs a file, not "${path}". Use the memory store: type: memory.`,
    )
  }
  const absolute = resolve(context.directory, path)
  try {
    return options.readOnly ? absolute : prepareFile(absolute)
  } catch (error) {
    throw new AppError(
      'store-unopenable',
      `opening ${absolute} failed: ${messageOf(error)}. Give the path of a file in a folder that can be made and written.`,
      { cause: error },
    )
  }
}

interface Opened {
  readonly options: SqliteStoreOptions
  readonly path: string
  readonly data: WriterData
  readonly writer: Port<WriterOperations> | undefined
  readonly reader: Port<ReaderOperations>
  readonly start: WriterOpened
  readonly now: () => number
  readonly directory: string
}

/** How long nothing must have been written before background work begins on its own. */
const idleMs = 200

function createStore({ options, path, data, writer, reader, start, now, directory }: Opened): Store {
  const heads = createHeads(start)
  const tail = createTail(start.head)
  let closing: Promise<void> | undefined
  let idle: NodeJS.Timeout | undefined

  const tidy = (): void => {
    clearTimeout(idle)
    if (closing !== undefined || writer === undefined) return
    idle = setTimeout(() => {
      if (closing !== undefined) return
      // A failure here shows again, and to somebody, with the next write.
      writer.call('tidy').then(
        (hasMore) => (hasMore ? tidy() : undefined),
        () => undefined,
      )
    }, idleMs).unref()
  }
  const checkpoints = createCheckpoints(writer, data)
  const group =
    writer === undefined
      ? undefined
      : createGroupCommit({
          writer,
          tail,
          durability: options.durability,
          now,
          onHead: heads.moveHead,
          onIdle: tidy,
          onLog: checkpoints.onLog,
        })

  const requireOpen = (): void => {
    if (closing !== undefined) throw new AppError('store-closed', `using ${path}: the store was closed. Open it again.`)
  }
  const parts: StoreParts = {
    path,
    heads,
    tail,
    now,
    group,
    reader() {
      requireOpen()
      return reader
    },
    writer() {
      if (closing !== undefined)
        throw new AppError('store-closed', `using ${path}: the store was closed. Open it again.`)
      if (writer === undefined) throw readOnlyError(path)
      return writer
    },
    async refresh() {
      requireOpen()
      if (writer !== undefined) return
      const { head, oldest } = await reader.call('position')
      heads.moveHead(head)
      heads.moveOldest(oldest)
    },
  }

  const close = async (): Promise<void> => {
    clearTimeout(idle)
    await group?.drain()
    heads.close()
    // The reader first: the last connection to close empties the write-ahead log.
    await checkpoints.close()
    await reader.call('close').catch(() => undefined)
    await reader.terminate()
    await writer?.call('close').catch(() => undefined)
    await writer?.terminate()
  }

  return {
    type: 'sqlite',
    incarnation: start.incarnation,
    durability: options.durability,
    capabilities: { atomic: 'commit', isPersistent: true },
    head: heads.head,
    oldest: heads.oldest,
    ...logReads(parts),
    ...ledgerMethods(parts),
    ...writeMethods(parts),
    async wait(after, signal) {
      requireOpen()
      if (writer !== undefined) return heads.wait(after, signal)
      while (!signal.aborted) {
        await parts.refresh()
        if (heads.head() > after) return
        await sleep(100, undefined, { signal, ref: false }).catch(() => undefined)
      }
    },
    ...inspectionMethods(data, heads, directory, parts.refresh),
    close: () => (closing ??= close()),
  }
}
