import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { EventRecord } from '../../core/event.ts'
import type { Platform } from '../../core/platform.ts'
import type { Store } from '../../plugin/store.ts'
import { openSqlite, type SqliteStoreOptions } from './open.ts'

/** A folder of its own, removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const clock = { now: () => Date.now(), monotonic: () => performance.now() }
const real = { clock } as Platform

/** Opens `events.db` in a folder and closes it after the test. */
export async function openIn(folder: string, more: Partial<SqliteStoreOptions> = {}, platform = real): Promise<Store> {
  const options: SqliteStoreOptions = {
    path: 'events.db',
    durability: 'disk',
    cacheBytes: 8 * 1024 * 1024,
    readOnly: false,
    acceptLoss: false,
    ...more,
  }
  const store = await openSqlite(options, { directory: folder, platform })
  onTestFinished(() => store.close())
  return store
}

/** Events with the ids `from` … `from + count - 1`. */
export function events(count: number, from = 1, more: Partial<EventRecord> = {}): EventRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    source: 'shop',
    id: `id-${from + index}`,
    type: 'order.placed',
    data: `{"n":${from + index}}`,
    ...more,
  }))
}

/** Appends in one commit; answers each event's status and sequence. */
export async function append(
  store: Store,
  list: readonly EventRecord[],
): Promise<readonly { status: string; sequence: number }[]> {
  const [result] = await store.commit([{ events: list }])
  if (result?.kind !== 'ok') throw new Error('the commit was refused')
  return result.events
}
