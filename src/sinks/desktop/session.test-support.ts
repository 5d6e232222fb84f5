import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { findExecutable } from '../../io/process/executable.ts'

const run = promisify(execFile)

const needed = ['Xvfb', 'dbus-daemon', 'dunst', 'dunstctl', 'notify-send']

/** Programs of a desktop that this machine lacks. */
export function missingPrograms(): string[] {
  const path = process.env['PATH'] ?? ''
  return needed.filter((name) => !findExecutable(name, { directory: '/', path }).ok)
}

/** A desktop of its own: a screen that nobody sees, a bus that nobody else is on, and a daemon that shows notifications. */
export interface Session {
  readonly env: Readonly<Record<string, string>>
  /** What the daemon was given to show, oldest first. */
  shown(): Promise<readonly { readonly summary: string; readonly body: string; readonly appname: string }[]>
  /** Ends the daemon; the bus stays. */
  endDaemon(): Promise<void>
  close(): Promise<void>
}

interface DunstHistory {
  readonly data: readonly (readonly Readonly<Record<'summary' | 'body' | 'appname', { readonly data: string }>>[])[]
}

/** Starts the programs of a desktop and waits until they answer. */
export async function openSession(): Promise<Session> {
  const path = process.env['PATH'] ?? ''
  const children: ChildProcess[] = []
  const start = (program: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess => {
    const child = spawn(program, args, { env: { PATH: path, ...env }, stdio: ['ignore', 'pipe', 'ignore'] })
    children.push(child)
    return child
  }
  const display = await firstLine(
    start('Xvfb', ['-displayfd', '1', '-screen', '0', '800x600x24', '-nolisten', 'tcp'], {}),
  )
  const bus = await firstLine(start('dbus-daemon', ['--session', '--nofork', '--print-address'], {}))
  const env = { PATH: path, DISPLAY: `:${display}`, DBUS_SESSION_BUS_ADDRESS: bus }
  const dunst = start('dunst', ['-conf', '/dev/null'], env)
  await until(async () => void (await run('dunstctl', ['count'], { env })))
  return {
    env,
    async shown() {
      await run('dunstctl', ['close-all'], { env })
      const { stdout } = await run('dunstctl', ['history'], { env })
      const [entries = []] = (JSON.parse(stdout) as DunstHistory).data
      return entries
        .map(({ summary, body, appname }) => ({ summary: summary.data, body: body.data, appname: appname.data }))
        .reverse()
    },
    endDaemon: () => end(dunst),
    async close() {
      for (const child of children.reverse()) await end(child)
    },
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return text.split('\n')[0]!
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function until(check: () => Promise<void>): Promise<void> {
  for (const deadline = performance.now() + 15_000; ; ) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}
