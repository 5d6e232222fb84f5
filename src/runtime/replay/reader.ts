import { messageOf } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'
import type { Lane } from '../lane.ts'
import { isDamage } from '../unreadable.ts'
import { type EventSelection, type ScannedPage, scan } from './selection.ts'

/** Events looked for at once: about what a lane takes before it waits for room. */
const pageSize = 128
const againMs = 1000
/** On a machine with two cores the reader, the writer and the main thread share them: live traffic needs the rest. */
const restPart = 3

/**
 * Shows a replay's lane the range of the log that it is about, in place of dispatch: live lanes share nothing with it. After
 * each look it rests three times as long as the look took, so that a replay never has more than a quarter of the store's reader.
 * The answer is called whenever the lane has room, and does nothing while it is at work.
 */
export function createReader(selection: EventSelection, to: Sequence): (lane: Lane) => void {
  let isReading = false
  let isCalled = false
  const read = (lane: Lane): void => {
    isCalled = isReading
    if (isReading) return
    isReading = true
    readOn(lane, selection, to)
      .catch((error: unknown) => tell(lane, error, read))
      .finally(() => {
        isReading = false
        if (isCalled) read(lane)
      })
  }
  return read
}

async function readOn(lane: Lane, selection: EventSelection, to: Sequence): Promise<void> {
  const { store, platform } = lane.around
  while (lane.isRunning && lane.position < to) {
    const began = platform.clock.monotonic()
    const after = lane.position
    const page = await scan(store, selection, after, to, pageSize)
    if (!lane.isRunning) return
    // Forced retention may have moved it meanwhile.
    if (lane.position === after && !show(lane, page)) return
    const tookMs = platform.clock.monotonic() - began
    await new Promise<void>((resolve) => platform.after(restPart * tookMs, resolve))
  }
}

/** False when the lane has no room for the next one. */
function show(lane: Lane, { events, upTo }: ScannedPage): boolean {
  const refused = events.find((event) => !lane.accept(event))
  lane.position = refused === undefined ? upTo : refused.sequence - 1
  lane.touch()
  lane.pump()
  return refused === undefined
}

function tell(lane: Lane, error: unknown, read: (lane: Lane) => void): void {
  const { log, platform } = lane.around
  if (lane.isStopping) return
  if (isDamage(error)) {
    lane.ends.stopWith('halted', `the log cannot be read after event ${lane.position}: ${messageOf(error)}`)
    return
  }
  log.error(`reading the log for ${lane.name} failed; it is tried again`, { error: messageOf(error) })
  platform.after(againMs, () => read(lane))
}
