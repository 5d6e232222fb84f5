import { AppError } from '../../core/errors.ts'
import { timeText } from '../../core/event.ts'
import type { KeptRow } from '../../core/ledger-state.ts'
import type { StateEntry, StateListOptions, StatePage, StateReader } from '../../plugin/state.ts'
import type { Store } from '../../plugin/store.ts'

const defaultLimit = 100
const mostAtOnce = 1000

/** Reads what a stage keeps from the store; `flush` is called before, so that it has all there is. */
export function storedState<Value>(
  store: Pick<Store, 'kept'>,
  subscription: string,
  stage: string,
  flush: () => Promise<void>,
): Pick<StateReader<Value>, 'subscription' | 'stage' | 'get' | 'list' | 'entries'> {
  const page = async ({ after, prefix, limit = defaultLimit }: StateListOptions): Promise<StatePage<Value>> => {
    if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= mostAtOnce))
      throw new AppError('bad-request', `reading the state of ${subscription} failed: limit is 1 to ${mostAtOnce}`)
    const rows = await store.kept(subscription, { stage, after, prefix, limit })
    const entries = rows.map((row) => entryOf<Value>(row))
    const last = entries.at(-1)?.key
    const more = last === undefined ? [] : await store.kept(subscription, { stage, after: last, prefix, limit: 1 })
    return more.length > 0 ? { entries, next: last } : { entries }
  }
  return {
    subscription,
    stage,
    async get(key) {
      await flush()
      const [row] = await store.kept(subscription, { stage, keys: [key.toWellFormed()] })
      return row && entryOf<Value>(row).value
    },
    async list(options = {}) {
      await flush()
      return page(options)
    },
    async *entries({ prefix } = {}) {
      await flush()
      for (let after: string | undefined; ; ) {
        const { entries, next } = await page({ after, prefix, limit: mostAtOnce })
        yield* entries
        if (next === undefined) return
        after = next
      }
    },
  }
}

function entryOf<Value>({ key, value, dueAt }: KeptRow): StateEntry<Value> {
  return { key, value: JSON.parse(value!) as Value, ...(dueAt !== undefined && { dueAt: timeText(dueAt) }) }
}
