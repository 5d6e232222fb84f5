import { AppError } from '../core/errors.ts'
import type { Sequence } from '../core/event.ts'
import type { DeadRow, DeliveryRow } from '../core/ledger-state.ts'
import type { DeadQuery } from '../plugin/store.ts'
import type { Selection } from './api.ts'
import type { Lane } from './lane.ts'

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

async function forEachDead(
  lane: Lane,
  query: Omit<DeadQuery, 'limit'>,
  act: (row: DeadRow) => boolean,
): Promise<number> {
  const { store, settler } = lane.around
  let count = 0
  await settler().flush()
  for (let after: Sequence = query.after ?? 0; ; ) {
    const page = await store.dead(lane.name, { ...query, after, limit: pageSize })
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
  const oldest = lane.around.store.oldest()
  const count = await forEachDead(lane, query, (row) => {
    if (!isWanted(row)) return false
    lane.ledger.putRow(revive(row, now, row.sequence < oldest), 'dead')
    return true
  })
  if (count > 0) {
    lane.due.expect(now)
    lane.nudge()
  }
  return count
}

function revive(row: DeadRow, dueAt: number, isGone: boolean): DeliveryRow {
  const { sequence: _sequence, appendedAt: _appendedAt, ...record } = row.event
  return {
    sequence: row.sequence,
    state: 'waiting',
    dueAt,
    key: row.key,
    done: row.done,
    attempt: 0,
    deaths: 0,
    context: row.context,
    event: isGone || row.done.length > 0 ? record : undefined,
    attempts: row.attempts,
    redriven: (row.redriven ?? 0) + 1,
  }
}

/** Settles dead letters as discarded. */
export function discardDead(
  lane: Lane,
  query: DeadQuery | Omit<DeadQuery, 'limit'>,
  reason = 'discarded by hand',
): Promise<number> {
  return forEachDead(lane, query, (row) => {
    lane.ledger.settle(row.sequence, 'discarded', 'dead', { reason, attemptCount: row.attemptCount })
    if (row.key !== undefined && lane.order?.blockedBy(row.key) === row.sequence) lane.releaseKey(row.key)
    return true
  })
}
