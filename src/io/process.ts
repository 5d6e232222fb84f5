import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { isMainThread } from 'node:worker_threads'
import { messageOf } from '../core/errors.ts'
import { privateStdio } from './process/descriptors.ts'
import { childEnvironment } from './process/environment.ts'
import { createHunt, endHunted, ownerVariable, signalGroup } from './process/hunt.ts'
import { type Captured, captureEnd } from './process/output.ts'

/** What to run. No shell is ever between: each argument is one element of the program's argument list. */
export interface ProcessRequest {
  /** Absolute path of the program. */
  readonly file: string
  readonly args: readonly string[]
  /** Its working directory. */
  readonly directory: string
  /** Declared variables; beside them it gets PATH, HOME, LANG, TZ and TMPDIR, and nothing else of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Variables that Millrace sets itself. */
  readonly marks?: Readonly<Record<string, string>> | undefined
  /** Different for every run: the sign in the environment by which all processes of the run are found again. */
  readonly mark: string
}

/** How a process ended: by itself (`code`) or by a signal. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface RunningProcess {
  readonly kind: 'running'
  readonly stdin: NonNullable<ChildProcess['stdin']>
  readonly stdout: Readable
  readonly stderr: Readable
  /** Resolves when it has ended and its output is read. What it left in its process group is killed then. */
  readonly ended: Promise<Ending>
  /** Ends it and everything it started: SIGTERM, then SIGKILL after the grace. Answers how many could not be ended. */
  end(graceMs: number): Promise<number>
}

export type StartedProcess = RunningProcess | { readonly kind: 'failed'; readonly problem: string }

/** How long output is still awaited after the end of a process whose children hold its output open. */
const lingerMs = 1000

/** Leaders of the groups that run now: when this process exits, they do as well. */
const leaders = new Set<number>()
const endAll = (): void => {
  for (const leader of leaders) signalGroup(leader, 'SIGKILL')
}

/** Starts a program in a session and process group of its own, with umask 077 and no open files but stdin, stdout, stderr. */
export async function startProcess(request: ProcessRequest): Promise<StartedProcess> {
  const { mark } = request
  let child: ChildProcess
  try {
    child = spawnPrivately(request)
    if (child.pid === undefined) {
      const error = await new Promise((resolve) => child.once('error', resolve))
      return { kind: 'failed', problem: messageOf(error) }
    }
  } catch (error) {
    return { kind: 'failed', problem: messageOf(error) }
  }
  const leader = child.pid
  // Node answers a failed kill or message with an event too; without a listener it would end this process.
  child.on('error', () => undefined)
  child.stdin!.on('error', () => undefined)
  if (leaders.size === 0) process.on('exit', endAll)
  leaders.add(leader)
  const ended = endingOf(child, leader)
  void ended.finally(() => {
    leaders.delete(leader)
    if (leaders.size === 0) process.off('exit', endAll)
  })
  const hunt = createHunt((found) => found === mark, leader)
  return {
    kind: 'running',
    stdin: child.stdin!,
    stdout: child.stdout!,
    stderr: child.stderr!,
    ended,
    async end(graceMs) {
      const left = await endHunted(hunt, graceMs)
      // Whoever could not be ended may still hold the output open.
      child.stdout!.destroy()
      child.stderr!.destroy()
      return left
    },
  }
}

function spawnPrivately({ file, args, directory, env, marks, mark }: ProcessRequest): ChildProcess {
  // The mask is one of the whole process, so it is changed only while the child is made. A worker thread may not change it.
  const before = isMainThread ? process.umask(0o077) : undefined
  try {
    return spawn(file, args, {
      shell: false,
      detached: true,
      windowsHide: true,
      cwd: directory,
      env: { [ownerVariable]: mark, ...childEnvironment(env), ...marks },
      stdio: privateStdio(),
    })
  } finally {
    if (before !== undefined) process.umask(before)
  }
}

function endingOf(child: ChildProcess, leader: number): Promise<Ending> {
  return new Promise((resolve) => {
    let linger: NodeJS.Timeout | undefined
    child.once('exit', () => {
      linger = setTimeout(() => {
        signalGroup(leader, 'SIGKILL')
        child.stdout!.destroy()
        child.stderr!.destroy()
      }, lingerMs)
    })
    child.once('close', (code, signal) => {
      clearTimeout(linger)
      // The number cannot have gone to somebody else's group: as long as one member is left it is taken, and with none
      // left it is free for a moment only.
      signalGroup(leader, 'SIGKILL')
      resolve({ code, signal })
    })
  })
}

export interface RunRequest extends ProcessRequest {
  readonly input: string | Uint8Array
  /** Ends the run when it aborts. */
  readonly signal: AbortSignal
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number
  /** How much of each output is kept. */
  readonly outputBytes: number
}

export type RunResult =
  | { readonly kind: 'failed'; readonly problem: string }
  | ({
      readonly kind: 'ended'
      /** It was ended from here because the signal aborted; `left` processes could not be. */
      readonly isAborted: boolean
      readonly left: number
      readonly stdout: Captured
      readonly stderr: Captured
    } & Ending)

/** Runs a program to its end, with bytes for its input; what it writes is read, and the end of it is kept. */
export async function runProcess(request: RunRequest): Promise<RunResult> {
  const { input, signal, graceMs, outputBytes } = request
  if (signal.aborted) return { kind: 'failed', problem: 'it was stopped before it began' }
  const started = await startProcess(request)
  if (started.kind === 'failed') return started
  const stdout = captureEnd(started.stdout, outputBytes)
  const stderr = captureEnd(started.stderr, outputBytes)
  let ending: Promise<number> | undefined
  const onAbort = (): void => {
    ending ??= started.end(graceMs)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  started.stdin.end(input)
  const { code, signal: by } = await started.ended
  signal.removeEventListener('abort', onAbort)
  const left = (await ending) ?? 0
  return { kind: 'ended', code, signal: by, isAborted: ending !== undefined, left, stdout: stdout(), stderr: stderr() }
}
