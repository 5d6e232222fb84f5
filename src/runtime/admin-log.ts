import type { Json } from '../core/event.ts'
import type { Store } from '../plugin/store.ts'

/** Where it is stored: beside the state of sources, under a name that none can have. */
const place = 'millrace:/admin-log'
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
  return {
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
