import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** From the sources if this process is, from the compiled package if not. */
export const conditions = process.execArgv.filter((flag) => flag.startsWith('--conditions'))
const flags = [...conditions, '--disable-warning=ExperimentalWarning']

export interface Served {
  readonly port: number
  readonly process: ChildProcess
  /** Ends it and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const end = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await end
}

/** Runs a module in a process of its own that prints its port as the first line. */
export async function serveModule(code: string): Promise<Served> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())))
    child.once('exit', (exit) => reject(new Error(`the server ended with ${exit}`)))
  })
  return { port, process: child, stop: (signal = 'SIGKILL') => ended(child, signal) }
}

/** Starts `millrace run` with a configuration and resolves when it is ready. */
export async function serveMillrace(
  directory: string,
  config: Readonly<Record<string, unknown>>,
  patienceMs = 60_000,
): Promise<Served> {
  const port = await freePort()
  const file = join(directory, 'millrace.yaml')
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ ...config, server: { host: '127.0.0.1', port } }))
  const bin = join(import.meta.dirname, '../bin/millrace.js')
  const env = { ...process.env, PORT: String(port) }
  const child = spawn(process.execPath, [...flags, bin, 'run', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: directory,
    env,
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4_000)))
  const deadline = performance.now() + patienceMs
  while (!(await isReady(port))) {
    if (child.exitCode !== null) throw new Error(`millrace run ended with ${child.exitCode}: ${errors}`)
    if (performance.now() > deadline) {
      await ended(child, 'SIGKILL')
      throw new Error(`millrace run was not ready after ${patienceMs} ms: ${errors}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return { port, process: child, stop: (signal = 'SIGTERM') => ended(child, signal) }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
    await answer.arrayBuffer()
    return answer.status === 200
  } catch {
    return false
  }
}
