import { AppError } from '../core/errors.ts'
import type { Opened } from './opened.ts'

/** Stops a subscription; it keeps its place. */
export async function pauseLane(live: Opened, name: string): Promise<void> {
  const lane = live.lane(name)
  lane.ledger.setState('paused', 'paused by hand')
  live.dispatch.leave(lane)
  live.settler.touch(lane)
  await live.settler.flush()
}

/** Starts it again, also after it was halted or disabled. */
export async function resumeLane(live: Opened, name: string): Promise<void> {
  const lane = live.lane(name)
  if (lane.frozen !== undefined) throw new AppError('state-conflict', `resuming ${name} failed: ${lane.frozen}`)
  lane.ledger.setState('running')
  lane.gate.reset()
  live.settler.touch(lane)
  await live.settler.flush()
  live.resume(lane)
}

/** Forgets the ledger of a subscription that nothing names any more. */
export async function dropRetired(live: Opened, name: string): Promise<void> {
  if (live.desk.has(name))
    throw new AppError(
      'state-conflict',
      `dropping subscription ${name} failed: it was made while the pipeline ran, and is ended with unsubscribe`,
    )
  if (live.lanes.has(name))
    throw new AppError(
      'state-conflict',
      `dropping subscription ${name} failed: the configuration still names it; take it out first`,
    )
  if (!live.retired.some(({ subscription }) => subscription === name)) throw live.unknown(name)
  await live.store.dropLedger(name)
  live.forget(name)
}
