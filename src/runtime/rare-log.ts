import type { Log, Platform } from '../core/platform.ts'

/** How long a warning of one kind keeps the next one of it back. */
const quietMs = 60_000

/** Says the same warning at most once a minute, with how often it came meanwhile. */
export class RareLog {
  readonly #log: Log
  readonly #platform: Platform
  /** By kind; as many as there are types with schemas, so bounded by the configuration. */
  readonly #kinds = new Map<string, { saidAt: number; kept: number }>()

  constructor(log: Log, platform: Platform) {
    this.#log = log
    this.#platform = platform
  }

  warn(kind: string, message: string, facts: Readonly<Record<string, unknown>>): void {
    const now = this.#platform.clock.monotonic()
    const known = this.#kinds.get(kind)
    if (known !== undefined && now - known.saidAt < quietMs) {
      known.kept += 1
      return
    }
    const more = known === undefined || known.kept === 0 ? {} : { notSaid: known.kept }
    this.#kinds.set(kind, { saidAt: now, kept: 0 })
    this.#log.warn(message, { ...facts, ...more })
  }
}
