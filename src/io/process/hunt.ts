import { spawn } from 'node:child_process'
import { canListProcesses, isAlive, listProcessIds, type ProcessEntry, readProcess, variableOf } from './table.ts'

/** The variable that marks every process of a run, children and grandchildren too. */
export const ownerVariable = 'MILLRACE_OWNER'

/** Processes that are to be found and ended together. */
export interface Hunt {
  /** Whether a process with this mark belongs to it. */
  readonly owns: (mark: string) => boolean
  /** The leader of the process group and session, when there is one. */
  readonly leader: number | undefined
  /** Found so far and not seen dead: they belong to it whatever becomes of their parents. */
  readonly known: Map<number, ProcessEntry>
}

export function createHunt(owns: (mark: string) => boolean, leader?: number): Hunt {
  return { owns, leader, known: new Map() }
}

const sliceSize = 64
const longestKillMs = 5000

let waiting: { readonly hunt: Hunt; readonly done: () => void }[] = []
let isLooking = false

/**
 * Ends every process of a hunt: asks with SIGTERM, waits for the grace, then SIGKILL until none is left. Answers how
 * many are left after all (they sit in the kernel, or belong to another user). Found are, on Linux: who carries the
 * mark in its environment, who is in the leader's group or session, and whoever descends from one of these. A process
 * that cleared its environment and left the session counts while its parents were alive when it was first looked for.
 * Elsewhere only the leader's process group is ended.
 */
export async function endHunted(hunt: Hunt, graceMs: number): Promise<number> {
  if (!canListProcesses) return endGroup(hunt.leader, graceMs)
  await find(hunt)
  if (graceMs > 0) {
    signalKnown(hunt, 'SIGTERM')
    await untilGone(hunt, graceMs)
  }
  const deadline = performance.now() + longestKillMs
  // Twice none: a process that was just being started by another could be overlooked once.
  for (let nones = 0; nones < 2 && performance.now() < deadline; ) {
    await find(hunt)
    nones = hunt.known.size === 0 ? nones + 1 : 0
    signalKnown(hunt, 'SIGKILL')
    await sleep(nones === 0 ? 20 : 5)
  }
  forgetDead(hunt)
  return hunt.known.size
}

/** Waits until none is alive, at most for the time. Looks only at those known; new ones are found afterwards. */
async function untilGone(hunt: Hunt, timeMs: number): Promise<void> {
  const deadline = performance.now() + timeMs
  for (let pauseMs = 5; performance.now() < deadline; pauseMs = Math.min(2 * pauseMs, 100)) {
    forgetDead(hunt)
    if (hunt.known.size === 0) return
    await sleep(Math.min(pauseMs, Math.max(1, deadline - performance.now())))
  }
}

function forgetDead(hunt: Hunt): void {
  for (const entry of hunt.known.values()) if (!isAlive(entry)) hunt.known.delete(entry.pid)
}

function signalKnown(hunt: Hunt, signal: NodeJS.Signals): void {
  for (const entry of hunt.known.values()) {
    // Its number may have been given to another process meanwhile.
    if (isAlive(entry)) sendSignal(entry.pid, signal)
    else hunt.known.delete(entry.pid)
  }
}

/** One look at all processes serves everybody who waits for one. */
function find(hunt: Hunt): Promise<void> {
  return new Promise((done) => {
    waiting.push({ hunt, done })
    if (!isLooking) void look()
  })
}

async function look(): Promise<void> {
  isLooking = true
  while (waiting.length > 0) {
    const served = waiting
    waiting = []
    await lookFor(served.map(({ hunt }) => hunt))
    for (const { done } of served) done()
  }
  isLooking = false
}

async function lookFor(hunts: readonly Hunt[]): Promise<void> {
  const children = new Map<number, ProcessEntry[]>()
  for (const hunt of hunts) forgetDead(hunt)
  for (const [index, pid] of listProcessIds().entries()) {
    // The event loop goes on between slices: a busy machine has thousands of processes.
    if (index % sliceSize === sliceSize - 1) await new Promise((resolve) => setImmediate(resolve))
    const entry = pid === process.pid ? undefined : readProcess(pid)
    if (entry === undefined) continue
    const siblings = children.get(entry.parent)
    if (siblings === undefined) children.set(entry.parent, [entry])
    else siblings.push(entry)
    const mark = variableOf(pid, ownerVariable)
    for (const hunt of hunts) if (belongs(hunt, entry, mark)) hunt.known.set(pid, entry)
  }
  for (const { known } of hunts) {
    // A map that grows while it is walked is walked to its end.
    for (const pid of known.keys()) for (const child of children.get(pid) ?? []) known.set(child.pid, child)
  }
}

function belongs({ owns, leader }: Hunt, entry: ProcessEntry, mark: string | undefined): boolean {
  if (mark !== undefined) return owns(mark)
  return leader !== undefined && (entry.group === leader || entry.session === leader)
}

async function endGroup(leader: number | undefined, graceMs: number): Promise<number> {
  if (leader === undefined) return 0
  if (process.platform === 'win32') return endWindowsTree(leader)
  if (graceMs > 0 && signalGroup(leader, 'SIGTERM')) {
    const deadline = performance.now() + graceMs
    while (performance.now() < deadline && signalGroup(leader, 0)) await sleep(20)
  }
  return signalGroup(leader, 'SIGKILL') ? 1 : 0
}

/** Windows knows no groups and no request to end: `taskkill` ends the process and its children at once. */
function endWindowsTree(leader: number): Promise<number> {
  const { file, args } = windowsKill(leader, process.env['SystemRoot'])
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: 'ignore', windowsHide: true })
    child.once('error', () => resolve(1))
    child.once('exit', () => resolve(0))
  })
}

/** What ends a process and its children on Windows. */
export function windowsKill(pid: number, root = 'C:\\Windows'): { file: string; args: readonly string[] } {
  return { file: `${root}\\System32\\taskkill.exe`, args: ['/pid', String(pid), '/T', '/F'] }
}

/** False when the group has no process. */
export function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  return sendSignal(-leader, signal)
}

function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
