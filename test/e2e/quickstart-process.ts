import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { root } from '../repo/files.ts'
import { freePort, patient } from './cli-process.ts'

/** A copy of the quickstart, run as `npm start` runs it, on ports of its own. Removed when the test ends. */
export interface Quickstart {
  readonly url: string
  /** The copy of its folder. */
  readonly folder: string
  readonly receiverUrl: string
  /** What the process of now has printed. */
  text(): string
  prints(expected: RegExp): Promise<void>
  publish(body: string): Promise<Response>
  /** Ends it; the exit code, null for SIGKILL. */
  end(signal: 'SIGINT' | 'SIGKILL'): Promise<number | null>
  /** Starts it again on the same store. */
  start(): Promise<void>
}

/** Starts it and waits until it has said what to try. */
export async function startQuickstart(env: Readonly<Record<string, string>> = {}): Promise<Quickstart> {
  // Inside the repository, so that packages are found by name.
  mkdirSync(join(root, '.millrace'), { recursive: true })
  const home = mkdtempSync(join(root, '.millrace', 'quickstart-'))
  const folder = join(home, 'examples', 'quickstart')
  cpSync(join(root, 'examples/quickstart'), folder, { recursive: true, filter: (path) => !path.endsWith('inbox') })
  const [port, receiverPort] = [await freePort(), await freePort()]
  const args = ['--conditions=millrace-source', join(root, 'bin/millrace.js'), 'run', join(folder, 'millrace.yaml')]
  let child: ChildProcess | undefined
  let ended: Promise<number | null> = Promise.resolve(null)
  let text = ''
  const prints = (expected: RegExp) =>
    vi.waitFor(() => {
      if (!expected.test(text)) throw new Error(`${expected} is not in what was printed:\n${text}`)
    }, patient)
  const start = async (): Promise<void> => {
    text = ''
    const started = spawn(process.execPath, args, {
      cwd: root,
      env: { ...processEnv(), ...env, PORT: String(port), RECEIVER_PORT: String(receiverPort) },
    })
    started.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
    started.stderr.setEncoding('utf8').on('data', (part: string) => (text += part))
    child = started
    ended = new Promise((resolve) => started.once('close', resolve))
    await prints(/Ctrl-C stops\./)
  }
  onTestFinished(async () => {
    child?.kill('SIGKILL')
    await ended
    rmSync(home, { recursive: true, force: true })
  })
  await start()
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    folder,
    receiverUrl: `http://127.0.0.1:${receiverPort}/orders`,
    text: () => text,
    prints,
    start,
    publish: (body) =>
      fetch(`${url}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
    end(signal) {
      child?.kill(signal)
      return ended
    },
  }
}

/** As a terminal has it after `npm start`: the same node for what it starts. */
export function processEnv(): NodeJS.ProcessEnv {
  return { ...process.env, NO_COLOR: '1', PATH: `${dirname(process.execPath)}:${process.env['PATH']}` }
}
