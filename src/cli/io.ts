/** Everything of the outside that a command may touch, so that a test can run one in memory. */
export interface CliIo {
  /** Writes to stdout. A newline is added when the text has none at its end. */
  out(text: string): void
  /** Writes to stderr, as `out` does. */
  err(text: string): void
  /** Shows one line in place of the one shown before: progress. Nothing when stderr is no terminal; '' clears it. */
  progress(line: string): void
  readonly stdin: AsyncIterable<Uint8Array>
  /** True when a person sits at the other end of stdin: nothing was piped in. */
  readonly stdinIsTty: boolean
  readonly isTty: boolean
  readonly errIsTty: boolean
  /** Columns of the terminal; undefined when stdout is none. */
  readonly columns: number | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** The code the process ends with: 0 success, 1 a found problem, 2 wrong use. */
  setExit(code: number): void
  /** Ends the process now with the code that was set, without waiting for anything. */
  exitNow(): void
  /** Aborted by the first SIGINT or SIGTERM. Until it is asked for, a signal ends the process as usual; a second one always does. */
  readonly signal: AbortSignal
}

/** The real terminal, environment and signals of this process. */
export function processIo(): CliIo {
  let shown = false
  let controller: AbortController | undefined
  const clear = (): void => {
    if (shown) process.stderr.write('\r\u001b[K')
    shown = false
  }
  // A reader that has seen enough (`millrace events | head`) is no problem of ours.
  const endOnBrokenPipe = (error: NodeJS.ErrnoException): void => process.exit(error.code === 'EPIPE' ? 0 : 1)
  process.stdout.on('error', endOnBrokenPipe)
  process.stderr.on('error', endOnBrokenPipe)
  return {
    out(text) {
      clear()
      process.stdout.write(withNewline(text))
    },
    err(text) {
      clear()
      process.stderr.write(withNewline(text))
    },
    progress(line) {
      if (process.stderr.isTTY !== true) return
      clear()
      if (line === '') return
      process.stderr.write(line.slice(0, (process.stderr.columns ?? 80) - 1))
      shown = true
    },
    get stdin() {
      return process.stdin
    },
    get stdinIsTty() {
      return process.stdin.isTTY === true
    },
    isTty: process.stdout.isTTY === true,
    errIsTty: process.stderr.isTTY === true,
    get columns() {
      return process.stdout.isTTY === true ? process.stdout.columns : undefined
    },
    env: process.env,
    cwd: process.cwd(),
    setExit(code) {
      process.exitCode = code
    },
    exitNow() {
      process.exit()
    },
    get signal() {
      controller ??= takeSignals()
      return controller.signal
    },
  }
}

function takeSignals(): AbortController {
  const controller = new AbortController()
  const numbers = { SIGINT: 2, SIGTERM: 15 } as const
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(128 + numbers[name])
      controller.abort(name)
    })
  }
  return controller
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}

/** What a command in memory wrote and how it ended. */
export interface MemoryIo extends CliIo {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
  readonly lines: readonly string[]
  abort(): void
}

/** A command's outside in memory: for tests, and for programs that run a command themselves. */
export function createMemoryIo(
  given: Partial<Pick<CliIo, 'stdin' | 'stdinIsTty' | 'isTty' | 'errIsTty' | 'columns' | 'env' | 'cwd'>> = {},
): MemoryIo {
  const controller = new AbortController()
  let stdout = ''
  let stderr = ''
  let exitCode = 0
  const progress: string[] = []
  return {
    out(text) {
      stdout += withNewline(text)
    },
    err(text) {
      stderr += withNewline(text)
    },
    progress(line) {
      if (given.errIsTty === true && line !== '') progress.push(line)
    },
    stdin: given.stdin ?? nothing(),
    stdinIsTty: given.stdinIsTty ?? given.stdin === undefined,
    isTty: given.isTty ?? false,
    errIsTty: given.errIsTty ?? false,
    columns: given.columns,
    env: given.env ?? {},
    cwd: given.cwd ?? process.cwd(),
    setExit(code) {
      exitCode = code
    },
    exitNow: () => undefined,
    signal: controller.signal,
    get stdout() {
      return stdout
    },
    get stderr() {
      return stderr
    },
    get exitCode() {
      return exitCode
    },
    lines: progress,
    abort: () => controller.abort('SIGINT'),
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
