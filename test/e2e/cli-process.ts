import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { vi } from 'vitest'

const bin = resolve(import.meta.dirname, '../../bin/millrace.js')

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A folder with a configuration, in which commands run as a user runs them. */
export interface Folder {
  readonly path: string
  readonly port: number
  /** Runs a command to its end. */
  millrace(argv: readonly string[], input?: string): Promise<Ended>
  /** Starts a command that stays, and waits until it has printed the text. */
  start(argv: readonly string[], until: string): Promise<Running>
  /** Ends what still runs and removes the folder. */
  remove(): Promise<void>
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  text(): string
}

/** Patient enough for a busy machine. */
export const patient = { timeout: 20_000, interval: 20 }

/** A port on which nothing listens at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

/** A new folder whose `millrace.yaml` is the given text; `PORT` stands for a free port. */
export async function createFolder(config: string): Promise<Folder> {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-e2e-')))
  const port = await freePort()
  writeFileSync(join(path, 'millrace.yaml'), config.replaceAll('PORT', String(port)))
  const running: Running[] = []

  const launch = (argv: readonly string[], input?: string): Running => {
    const { PORT: _, ...env } = process.env
    const args = ['--conditions=millrace-source', bin, ...argv]
    const child = spawn(process.execPath, args, { cwd: path, env: { ...env, NO_COLOR: '1' } })
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
    // A command that ends before it has read all is judged by what it says.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
    const ended = new Promise<Ended>((done) => child.once('close', (code) => done({ code, out, err })))
    const started = { child, ended, text: () => out + err }
    running.push(started)
    return started
  }
  return {
    path,
    port,
    millrace: (argv, input) => launch(argv, input).ended,
    async start(argv, until) {
      const started = launch(argv)
      await vi.waitFor(() => {
        if (!started.text().includes(until)) throw new Error(`not yet: ${started.text()}`)
      }, patient)
      return started
    },
    async remove() {
      for (const { child } of running) if (child.exitCode === null) child.kill('SIGKILL')
      await Promise.all(running.map(({ ended }) => ended))
      rmSync(path, { recursive: true, force: true })
    },
  }
}
