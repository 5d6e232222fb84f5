import { messageOf } from '../core/errors.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { Source } from '../plugin/source.ts'
import { frontierLedger } from '../plugin/store.ts'
import type { Alarm } from './alarm.ts'
import type { Lane } from './lane.ts'
import type { Opened } from './opened.ts'

/** A step of a stop: a failure is said and not passed on, and nobody waits for it beyond the end. */
export async function quietly(
  log: Log,
  what: string,
  end: Alarm,
  task: () => void | Promise<void> | undefined,
): Promise<void> {
  const late = end.rings.then(() => {
    throw new Error('it did not end in time and is left behind')
  })
  try {
    await Promise.race([late, (async () => task())()])
  } catch (error) {
    log.warn(`${what} failed`, { error: messageOf(error) })
  }
}

/** Ends what is under way. */
export function abortAttempts({ calls, setup }: Lane, reason: Error): void {
  calls.abortAll(reason)
  for (const stage of setup.stages) stage.calls.abortAll(reason)
}

/** True when a lane has nothing to do now: waiting retries do not count. */
export function isQuiet({ isRunning, isIdle, due, setup }: Lane): boolean {
  return !isRunning || (isIdle && !due.isLoading && !setup.timers.isBusy)
}

/** Nothing of the lane comes by itself any more. A value that is due may wait for a call that ignores its abort. */
export async function stopTimers({ due, gate, setup, name, around }: Lane, end: Alarm): Promise<void> {
  due.stop()
  gate.stop()
  await quietly(around.log, `ending what the stages of ${name} keep`, end, () => setup.timers.stop())
}

/** Closes all at once: one that hangs does not take the time of the others. */
export async function closePlugins(
  log: Log,
  end: Alarm,
  sources: readonly Source[],
  lanes: readonly Lane[],
): Promise<void> {
  await Promise.all([
    ...sources.map((source) => quietly(log, 'closing a source', end, () => source.close?.())),
    ...lanes.flatMap(({ name, setup }) => [
      ...setup.stages.map(({ stage }) => quietly(log, `closing a stage of ${name}`, end, () => stage.close?.())),
      quietly(log, `closing the sink of ${name}`, end, () => setup.sink?.close?.()),
    ]),
  ])
}

/** Waits until no lane has an attempt under way, at most until the alarm. Calls that ignore their abort are none any more. */
export async function attemptsEnd(platform: Platform, until: Alarm, lanes: () => Iterable<Lane>): Promise<void> {
  while (!until.hasRung && [...lanes()].some(({ active, abandoned }) => active > abandoned.count))
    await new Promise<void>((resolve) => platform.after(2, resolve))
}

/** A clean end: nothing was running that could have ended the process. */
export async function clearMarks(
  { store, lanes }: Pick<Opened, 'store' | 'lanes'>,
  frontierEpoch: number,
): Promise<void> {
  const all = [...lanes.values()]
  if (all.some(({ active }) => active > 0)) return
  for (const lane of all) if (lane.setup.runsUserCode) await store.mark(lane.name, 0, lane.epoch, null)
  await store.mark(frontierLedger, 0, frontierEpoch, null)
}
