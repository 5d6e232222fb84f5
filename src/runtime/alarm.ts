import type { Platform } from '../core/platform.ts'

/** A time after which nobody waits any more. */
export interface Alarm {
  readonly rings: Promise<void>
  readonly hasRung: boolean
  cancel(): void
}

/** An alarm that rings in `delayMs`. */
export function alarm(platform: Platform, delayMs: number): Alarm {
  let ring: () => void = () => undefined
  let hasRung = false
  const rings = new Promise<void>((resolve) => {
    ring = resolve
  })
  const timer = platform.after(delayMs, () => {
    hasRung = true
    ring()
  })
  return {
    rings,
    get hasRung() {
      return hasRung
    },
    cancel: () => timer.cancel(),
  }
}
