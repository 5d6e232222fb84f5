import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/platform.ts'
import type { Source } from '../plugin/source.ts'
import type { Alarm } from './alarm.ts'
import type { Lane } from './lane.ts'

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
