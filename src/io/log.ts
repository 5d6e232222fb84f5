import { AppError } from '../core/errors.ts'
import type { Log, LogFields } from '../core/platform.ts'
import { cutToBytes, escapeControl } from './escape.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]
export const logFormats = ['text', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

export interface LogOptions {
  /** Called with one whole line, newline included. */
  readonly write: (line: string) => void
  /** Lines below it are left out; `info` when absent. */
  readonly level?: LogLevel | undefined
  readonly format?: LogFormat | undefined
  /** Wall time, milliseconds since 1970. */
  readonly now?: (() => number) | undefined
  /** Lines in one second at most; what is above is counted and said afterwards. */
  readonly linesPerSecond?: number | undefined
}

const maxLineBytes = 8192
const maxValueBytes = 2048

/** A log that writes one escaped line of at most 8 KiB per call, so that no text from outside can forge another line. */
export function createLog(options: LogOptions): Log {
  const { write, now = Date.now, linesPerSecond = 1000 } = options
  const threshold = logLevels.indexOf(options.level ?? 'info')
  const line = options.format === 'json' ? jsonLine : textLine
  let second = 0
  let written = 0
  let suppressed = 0

  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (logLevels.indexOf(level) < threshold) return
    const at = now()
    if (Math.floor(at / 1000) !== second) {
      second = Math.floor(at / 1000)
      written = 0
      if (suppressed > 0) write(line(at, 'warn', 'log lines were left out because there were too many', { suppressed }))
      suppressed = 0
    }
    if (++written > linesPerSecond) suppressed++
    else write(line(at, level, message, fields))
  }
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
  }
}

function jsonLine(at: number, level: LogLevel, message: string, fields: LogFields): string {
  const head = { time: new Date(at).toISOString(), level, message: cutToBytes(escapeControl(message), maxValueBytes) }
  const whole = `${escapeControl(JSON.stringify({ ...plain(fields), ...head }))}\n`
  if (Buffer.byteLength(whole) <= maxLineBytes) return whole
  return `${JSON.stringify({ ...head, cut: true })}\n`
}

function textLine(at: number, level: LogLevel, message: string, fields: LogFields): string {
  const parts = Object.entries(plain(fields)).map(([name, value]) => {
    const text = typeof value === 'string' && /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value)
    return `${name}=${text}`
  })
  const text = [new Date(at).toISOString(), level.toUpperCase().padEnd(5), message, ...parts].join(' ')
  return `${cutToBytes(escapeControl(text), maxLineBytes - 1)}\n`
}

/** Fields as bounded JSON values. An error is its code and message only: causes and properties may hold secrets. */
function plain(fields: LogFields): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) result[name] = plainValue(value)
  }
  return result
}

function plainValue(value: unknown): unknown {
  if (value instanceof AppError) return plainValue(`${value.code}: ${value.message}`)
  if (value instanceof Error) return plainValue(`${value.name}: ${value.message}`)
  if (typeof value === 'string') return cutToBytes(value, maxValueBytes)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  try {
    const text =
      JSON.stringify(value, (_, inner) => (inner instanceof Error ? plainValue(inner) : inner)) ?? String(value)
    return Buffer.byteLength(text) <= maxValueBytes ? (JSON.parse(text) as unknown) : cutToBytes(text, maxValueBytes)
  } catch {
    return cutToBytes(String(value), maxValueBytes)
  }
}
