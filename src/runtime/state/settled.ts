import { AppError } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'
import type { Lane } from '../lane.ts'
import type { Opened } from '../opened.ts'

/** Resolves when everything up to a sequence is settled: examined, and neither pending nor in a row. */
export async function untilSettled(
  live: Opened,
  name: string,
  sequence: Sequence,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    const changed = live.watch.next(signal)
    signal?.throwIfAborted()
    const lane = live.lane(name)
    if (!lane.isHeld && (!lane.isRunning || live.watch.isOver)) throw standsStill(lane, sequence)
    if (lane.ledger.floor(lane.examined) >= sequence) {
      if (lane.ledger.openRows === 0) return
      await live.settler.flush()
      if ((await lowestRow(live, name)) > sequence) return
    }
    await changed
  }
}

function standsStill({ name, frozen, ledger }: Lane, sequence: Sequence): AppError {
  const why = frozen ?? ledger.reason ?? 'the pipeline is stopping'
  return new AppError('state-conflict', `waiting for event ${sequence} in ${name} failed: ${why}`)
}

/** The first event that waits in the store: for a retry, or behind its key. */
async function lowestRow({ store }: Opened, name: string): Promise<Sequence> {
  const [[row], held] = await Promise.all([store.rows(name, { limit: 1 }), store.held(name)])
  return Math.min(row?.sequence ?? Number.POSITIVE_INFINITY, ...held.map(({ sequences }) => sequences[0]!))
}
