import type { Log } from '../core/platform.ts'
import { createLog, type LogLevel } from '../io/log.ts'
import type { CliIo } from './io.ts'

/** The log of a command: lines on stderr, JSON where stderr is no terminal. */
export function cliLog(io: CliIo, level: LogLevel): Log {
  return createLog({ write: (line) => io.err(line), level, format: io.errIsTty ? 'text' : 'json' })
}
