import type { Json } from '../core/event.ts'
import type { Store } from '../plugin/store.ts'

/** Where it is stored: beside the state of sources, under a name that none can have. */
const place = 'millrace:/admin-log'
/** What was begun and has not ended, each under an id of its own. */
const begunPlace = 'millrace:/admin-begun'
/** Entries with one prefix: what is read at once. */
const blockSize = 100
const digits = 15

/** What can be done to a pipeline. */
export const adminVerbs = [
  'subscription.made',
  'subscription.changed',
  'subscription.dropped',
  'subscription.paused',
  'subscription.resumed',
  'subscription.tested',
  'secret.rotated',
  'secret-key.rotated',
  'dead.redriven',
  'dead.discarded',
  'replay.started',
  'replay.paused',
  'replay.resumed',
  'replay.cancelled',
  'rebuild.started',
  'rebuild.cancelled',
  'rebuild.finished',
  'quarantined.redriven',
] as const
export type AdminVerb = (typeof adminVerbs)[number]

/** What somebody did to the pipeline. */
export interface AdminAction {
  /** Name of the token; `cli` for a command that works on the store itself. */
  readonly actor: string
  readonly action: AdminVerb
  readonly subscription?: string | undefined
  /** As it was and as it is now, without secrets; absent where there was or is nothing. */
  readonly before?: Json | undefined
  readonly after?: Json | undefined
  /** What was asked for, and what came of it. */
  readonly facts?: Json | undefined
}

export interface AdminEntry extends AdminAction {
  /** Counts up without gaps from 1. */
  readonly number: number
  /** RFC 3339. */
  readonly at: string
}

/** The entries of a store. They are only ever added to. */
export interface AdminLog {
  /**
   * Resolves when it is stored that somebody is about to do this; `id` is used once. What a process leaves behind that died
   * before the end of it becomes an entry when the next one begins something, or asks with `recover`.
   */
  begin(id: string, action: AdminAction, at: string): Promise<void>
  /** It was done: resolves when the entry is stored. */
  end(id: string, action: AdminAction, at: string): Promise<number>
  /** It was refused, and nothing was done. */
  forget(id: string): Promise<void>
  recover(): Promise<void>
  /** Resolves when the entry is stored. */
  append(action: AdminAction, at: string): Promise<number>
  /** The newest first; `after` is the number of the last one seen. */
  list(limit: number, after?: number): Promise<readonly AdminEntry[]>
}

const logs = new WeakMap<Store, AdminLog>()

/** The one log of a store, for all who write to it. */
export function adminLogOf(store: Store): AdminLog {
  let log = logs.get(store)
  if (log === undefined) {
    log = createAdminLog(store)
    logs.set(store, log)
  }
  return log
}

function createAdminLog(store: Store): AdminLog {
  let last: number | undefined
  let writing: Promise<unknown> = Promise.resolve()
  const lastOf = async (): Promise<number> => last ?? findLast(store)
  let recovered: Promise<void> | undefined
  const log: AdminLog = {
    async begin(id, action, at) {
      await log.recover()
      await store.state.set(begunPlace, id, JSON.stringify({ at, ...action }))
    },
    async end(id, action, at) {
      const number = await log.append(action, at)
      await store.state.delete(begunPlace, id)
      return number
    },
    forget: (id) => store.state.delete(begunPlace, id),
    recover() {
      recovered ??= recoverBegun(store, log).catch((error: unknown) => {
        recovered = undefined
        throw error
      })
      return recovered
    },
    append(action, at) {
      const write = async (): Promise<number> => {
        const number = (await lastOf()) + 1
        const entry: AdminEntry = { number, at, ...action }
        await store.state.set(place, keyOf(number), JSON.stringify(entry))
        last = number
        if (number % blockSize === 0) await store.state.set(place, 'block', String(number / blockSize))
        return number
      }
      // What is not known to be stored is looked for again.
      const result = writing.then(write).catch((error: unknown) => {
        last = undefined
        throw error
      })
      writing = result.catch(() => undefined)
      return result
    },

    async list(limit, after) {
      const newest = await lastOf()
      let number = after === undefined ? newest : Math.min(newest, after - 1)
      const found: AdminEntry[] = []
      while (number > 0 && found.length < limit) {
        const block = await readBlock(store, Math.floor(number / blockSize))
        const below = block.filter((entry) => entry.number <= number)
        found.push(...below.reverse())
        number = Math.floor(number / blockSize) * blockSize - 1
      }
      return found.slice(0, limit)
    },
  }
  return log
}

/** What an earlier process began and did not see the end of; its last entry may be there already. */
async function recoverBegun(store: Store, log: AdminLog): Promise<void> {
  const left = await store.state.list(begunPlace)
  if (left.length === 0) return
  const known = new Set(
    (await log.list(blockSize)).map(({ number: _, after: _after, facts: _facts, ...rest }) => keyText(rest)),
  )
  for (const { key, value } of left) {
    const { at, ...action } = JSON.parse(value) as AdminAction & { readonly at: string }
    if (!known.has(keyText({ at, ...action })))
      await log.append(
        { ...action, facts: { end: 'unknown: the process ended before it was done, or written down' } },
        at,
      )
    await store.state.delete(begunPlace, key)
  }
}

function keyText({ at, actor, action, subscription }: AdminAction & { readonly at: string }): string {
  return JSON.stringify([at, actor, action, subscription])
}

/** The number of the newest entry. The block that is noted may be one behind, after a crash. */
async function findLast(store: Store): Promise<number> {
  let block = Number((await store.state.get(place, 'block')) ?? 0)
  let last = 0
  for (let entries = await readBlock(store, block); entries.length > 0; ) {
    last = entries.at(-1)!.number
    if (last % blockSize !== blockSize - 1) break
    block += 1
    entries = await readBlock(store, block)
  }
  return last
}

async function readBlock(store: Store, block: number): Promise<AdminEntry[]> {
  const rows = await store.state.list(place, keyOf(block * blockSize).slice(0, -2))
  return rows.map(({ value }) => JSON.parse(value) as AdminEntry)
}

function keyOf(number: number): string {
  return String(number).padStart(digits, '0')
}
