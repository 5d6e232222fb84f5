import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { root } from '../../repo/files.ts'

/** Patient enough for a busy machine. */
export const patient = { timeout: 20_000, interval: 20 }

/** An example that runs as its README says, in a copy of its folder. */
export interface RunningExample {
  readonly url: string
  /** The copy of the example's folder. */
  readonly folder: string
  /** What it has printed so far. */
  text(): string
  /** Waits until it has printed this. */
  prints(expected: RegExp): Promise<void>
  publish(event: unknown): Promise<Response>
  /** Gives it all that its standard input has. */
  input(text: string): void
  /** Ends it with SIGTERM; the exit code. */
  stop(): Promise<number | null>
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/**
 * Starts `millrace run` on a copy of `examples/<name>`, or in the copy that another one runs in, and waits until it is
 * ready. Removed when the test ends.
 */
export async function runExample(
  name: string,
  env: Readonly<Record<string, string>> = {},
  configuration = 'millrace.yaml',
  copy?: string,
): Promise<RunningExample> {
  // Inside the repository, so that packages are found by name.
  mkdirSync(join(root, '.millrace'), { recursive: true })
  const home = mkdtempSync(join(root, '.millrace', 'example-'))
  const folder = copy ?? join(home, 'examples', name)
  if (copy === undefined)
    cpSync(join(root, 'examples', name), folder, { recursive: true, filter: (path) => !path.endsWith('.millrace') })
  const port = await freePort()
  const args = ['--conditions=millrace-source', join(root, 'bin/millrace.js'), 'run', join(folder, configuration)]
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', ...env, PORT: String(port) },
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    if (child.exitCode === null) child.kill('SIGKILL')
    await ended
    rmSync(home, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}`
  const prints = (expected: RegExp) =>
    vi.waitFor(() => {
      if (!expected.test(text)) throw new Error(`${expected} is not in what was printed:\n${text}`)
    }, patient)
  await prints(/Ctrl-C stops\./)
  return {
    url,
    folder,
    text: () => text,
    prints,
    publish: (event) =>
      fetch(`${url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(event),
      }),
    input: (text) => void child.stdin.end(text),
    async stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}
