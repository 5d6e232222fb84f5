import { messageOf } from '../../core/errors.ts'
import { rebuildLedger } from '../../core/ledger-name.ts'
import type { LedgerRecord } from '../../core/ledger-state.ts'
import { alarm } from '../alarm.ts'
import { attemptsEnd } from '../closing.ts'
import type { Lane } from '../lane.ts'
import type { Job } from './job.ts'
import type { RebuildsSetup } from './rebuilds.ts'

/** How long the subscription may stand still until the rebuild has what it has. */
const patienceMs = 5000
const againMs = 500

/**
 * Lets a rebuild take the place of what is served: the subscription stands still, the rebuild settles all that it had
 * settled, so that nobody who reads goes back in time, and the store changes both in one step. False when the rebuild could
 * not do so in time: then the subscription goes on, and it is tried again.
 */
export async function switchOver(
  job: Job,
  live: Lane,
  setup: RebuildsSetup,
  isStopping: () => boolean,
): Promise<boolean> {
  const { platform, lanes, dispatch } = setup
  live.isHeld = true
  dispatch().leave(live)
  const patience = alarm(platform, patienceMs)
  try {
    await attemptsEnd(platform, patience, () => [live])
    while (!job.hasSettled(live.examined)) {
      if (patience.hasRung || isStopping() || !job.lane.isRunning) {
        goOn(live)
        return false
      }
      await new Promise<void>((resolve) => platform.after(2, resolve))
    }
  } finally {
    patience.cancel()
  }
  await lanes.replace(live.name, job.lane.name, () => takeOver(live.name, setup, isStopping))
  return true
}

function goOn(live: Lane): void {
  live.isHeld = false
  if (!live.isRunning) return
  live.around.onRoom(live)
  live.nudge()
}

/** Until the store has done it: both lanes stand still, and it is one step that is done or not. */
async function takeOver(
  name: string,
  { store, platform, log }: RebuildsSetup,
  isStopping: () => boolean,
): Promise<LedgerRecord> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      const isDone =
        !isFirst && (await store.ledgers()).every(({ subscription }) => subscription !== rebuildLedger(name))
      if (!isDone) return await store.replaceLedger(name, rebuildLedger(name), platform.id())
      const stored = (await store.ledgers()).find(({ subscription }) => subscription === name)!
      return await store.openLedger(name, 0, platform.id(), stored)
    } catch (error) {
      if (isStopping()) throw error
      log.error(`the rebuild of ${name} could not take its place in the store; it is tried again`, {
        error: messageOf(error),
      })
      await new Promise<void>((resolve) => platform.after(againMs, resolve))
    }
  }
}
