/** Time, as core and runtime know it. Injected, so that three days of retries take milliseconds in a test. */
export interface Clock {
  /** Wall time, milliseconds since 1970; may jump. For what is stored and shown. */
  now(): number
  /** Milliseconds that only grow. For durations and deadlines within the process. */
  monotonic(): number
}

export interface Timer {
  cancel(): void
}

/** Everything of the outside that core and runtime may use. */
export interface Platform {
  readonly clock: Clock
  /** Runs `task` once after `delayMs` (any non-negative number, also beyond 2^31 - 1). Does not keep the process alive. */
  after(delayMs: number, task: () => void): Timer
  /** Runs `task` as soon as the current work and pending input are done. */
  soon(task: () => void): void
  /** A number in [0, 1). */
  random(): number
  /** A new unique id. */
  id(): string
  /** SHA-256 of the text's UTF-8 bytes, base64url without padding. */
  digest(text: string): string
}

/** Where a healthy run is silent. Never given secrets or event data. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}
export type LogFields = Readonly<Record<string, unknown>>
