import type { Sequence } from '../../core/event.ts'
import type { Lane } from '../lane.ts'

/** Longer nobody is kept waiting for a lane that is far behind: what it has not seen counts as not there yet. */
const longestMs = 2000

/** Resolves when the lane has looked at the log up to a place, has enough, or takes no more. Nothing is polled. */
export function untilExamined(lane: Lane, upTo: Sequence, hasEnough: () => boolean): Promise<void> {
  const isDone = (): boolean => lane.examined >= upTo || hasEnough() || !lane.isReading
  if (isDone()) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      forget()
      timer.cancel()
      resolve()
    }
    const timer = lane.around.platform.after(longestMs, done)
    const forget = lane.around.onMoved(() => {
      if (isDone()) done()
    })
  })
}
