import type { DeadRow } from '../core/ledger-state.ts'
import type { DeadQuery } from '../plugin/store.ts'
import type { Selection } from './api.ts'
import type { Lane } from './lane.ts'
import type { Opened } from './opened.ts'
import { discardDead, redriveDead, selectionQuery } from './operations.ts'

/** Dead letters of a subscription or of a replay, also of one that is retired or has ended. */
export async function listDead(live: Opened, name: string, query: DeadQuery): Promise<readonly DeadRow[]> {
  if (!live.replays.has(name) && !live.retired.some(({ subscription }) => subscription === name)) live.lane(name)
  await live.settler.flush()
  return live.store.dead(name, query)
}

export async function redriveSelected(live: Opened, name: string, selection: Selection): Promise<number> {
  const lane = laneWithDead(live, name)
  return lane === undefined ? 0 : redriveDead(lane, selectionQuery(selection))
}

export async function discardSelected(live: Opened, name: string, selection: Selection): Promise<number> {
  const lane = laneWithDead(live, name)
  return lane === undefined ? 0 : discardDead(lane, selectionQuery(selection))
}

/** A replay that has ended without dead letters has no lane any more. */
function laneWithDead(live: Opened, name: string): Lane | undefined {
  return live.replays.has(name) && !live.lanes.has(name) ? undefined : live.lane(name)
}
