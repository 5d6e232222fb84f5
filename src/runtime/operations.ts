import { AppError } from '../core/errors.ts'
import type { EventRecord, Sequence, StoredRecord } from '../core/event.ts'
import type { DeadRow, DeliveryRow } from '../core/ledger-state.ts'
import type { DeadQuery } from '../plugin/store.ts'
import type { Selection } from './api.ts'
import type { Lane } from './lane.ts'
import { type Found, readEvents } from './unreadable.ts'

const pageSize = 500

/** The dead letters a selection names, page by page. */
export function selectionQuery(selection: Selection): Omit<DeadQuery, 'limit'> {
  const { sequences, type, all } = selection
  if (sequences === undefined && type === undefined && all !== true) {
    throw new AppError(
      'bad-request',
      'choosing dead letters failed: nothing says which; give sequences, a type, or all',
    )
  }
  return { sequences, type }
}

/** What is being done with the dead letters of a lane. */
const busy = new WeakMap<Lane, Promise<unknown>>()

/** One after another: two at once would both take the dead letters that they have read. */
function inTurn<T>(lane: Lane, task: () => Promise<T>): Promise<T> {
  const run = (busy.get(lane) ?? Promise.resolve()).then(task, task)
  busy.set(lane, run)
  return run
}

async function forEachDead(
  lane: Lane,
  query: Omit<DeadQuery, 'limit'>,
  act: (row: DeadRow) => boolean,
  look: (page: readonly DeadRow[]) => Promise<void> = async () => undefined,
): Promise<number> {
  const { store, settler } = lane.around
  let count = 0
  await settler().flush()
  for (let after: Sequence = query.after ?? 0; ; ) {
    const page = await store.dead(lane.name, { ...query, after, limit: pageSize })
    await look(page)
    for (const row of page) if (act(row)) count += 1
    settler().touch(lane)
    await settler().flush()
    if (page.length < pageSize) return count
    after = page.at(-1)!.sequence
  }
}

/** Puts dead letters back: attempts start again, the retry policy is kept. */
export async function redriveDead(
  lane: Lane,
  query: DeadQuery | Omit<DeadQuery, 'limit'>,
  isWanted: (row: DeadRow) => boolean = () => true,
): Promise<number> {
  const now = lane.around.platform.clock.now()
  let readable: Found['events'] = new Map()
  const look = async (page: readonly DeadRow[]): Promise<void> => {
    const sequences = page.map(({ sequence }) => sequence)
    readable = (await readEvents(lane.around.store, sequences)).events
  }
  const act = (row: DeadRow): boolean => {
    if (!isWanted(row)) return false
    const revived = revive(row, now, !readable.has(row.sequence))
    lane.ledger.putRow(lane.coalescer === undefined ? revived : lane.coalescer.revive(revived, row.diedAt), 'dead')
    return true
  }
  const count = await inTurn(lane, () => forEachDead(lane, query, act, look))
  if (count > 0) {
    lane.due.expect(now)
    lane.nudge()
  }
  return count
}

function revive(row: DeadRow, dueAt: number, isGone: boolean): DeliveryRow {
  return {
    sequence: row.sequence,
    state: 'waiting',
    dueAt,
    key: row.key,
    done: row.done,
    attempt: 0,
    deaths: 0,
    context: row.context,
    event: row.event !== undefined && (isGone || row.done.length > 0) ? recordOf(row.event) : undefined,
    attempts: row.attempts,
    redriven: (row.redriven ?? 0) + 1,
  }
}

function recordOf({ sequence: _sequence, appendedAt: _appendedAt, ...record }: StoredRecord): EventRecord {
  return record
}

/** Settles dead letters as discarded. */
export function discardDead(
  lane: Lane,
  query: DeadQuery | Omit<DeadQuery, 'limit'>,
  reason = 'discarded by hand',
): Promise<number> {
  const act = (row: DeadRow): boolean => {
    lane.ledger.settle(row.sequence, 'discarded', 'dead', { reason, attemptCount: row.attemptCount })
    if (row.key !== undefined) lane.unpark(row.key, row.sequence)
    return true
  }
  return inTurn(lane, () => forEachDead(lane, query, act))
}
