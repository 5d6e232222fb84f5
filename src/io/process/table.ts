import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A process of this machine, as Linux shows it under `/proc`. */
export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Ticks since boot: with the pid it names one process for ever. */
  readonly startedAt: string
}

/** Without `/proc` only process groups can be seen. */
export const canListProcesses = process.platform === 'linux' && existsSync('/proc/self/stat')

export function listProcessIds(): number[] {
  if (!canListProcesses) return []
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
}

/** Undefined when there is no such process, or when it is dead and only waits to be collected. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const text = readProc(`${pid}/stat`)
  // The name stands in brackets and may hold anything, brackets too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, parent, group, session] = fields
  const startedAt = fields[19]
  if (startedAt === undefined || state === 'Z' || state === 'X') return undefined
  return { pid, parent: Number(parent), group: Number(group), session: Number(session), startedAt }
}

export function isAlive({ pid, startedAt }: Pick<ProcessEntry, 'pid' | 'startedAt'>): boolean {
  return readProcess(pid)?.startedAt === startedAt
}

/** A variable of another process, as it was when its program began; undefined when it has none or may not be read. */
export function variableOf(pid: number, name: string): string | undefined {
  const text = `\0${readProc(`${pid}/environ`)}`
  const at = text.indexOf(`\0${name}=`)
  if (at === -1) return undefined
  const begin = at + name.length + 2
  const end = text.indexOf('\0', begin)
  return text.slice(begin, end === -1 ? undefined : end)
}

/** Processes of other containers may have the same numbers. */
export function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'latin1')
  } catch {
    return ''
  }
}
