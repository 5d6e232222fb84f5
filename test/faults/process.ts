import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** How a process ended. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process under test that says what it does in lines on its stdout. */
export interface Running {
  readonly child: ChildProcess
  readonly lines: readonly string[]
  readonly ended: Promise<End>
  /** Resolves when a line begins with this text; rejects when the process ends before. */
  says(text: string): Promise<string>
  /** Signals and waits for the end. */
  end(signal: NodeJS.Signals): Promise<End>
}

/** Starts a script of this folder with arguments; it is killed after the test. */
export function run(script: string, ...args: readonly string[]): Running {
  // A small heap: one that eats all memory dies soon, and leaves the machine alone.
  const flags = ['--conditions=millrace-source', '--max-old-space-size=80']
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, [...flags, path, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const wake = (): void => {
    for (const look of [...waiting]) look()
  }
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
    wake()
  })
  let hasEnded = false
  const ended = new Promise<End>((resolve) => {
    child.once('close', (code, signal) => {
      hasEnded = true
      resolve({ code, signal })
      wake()
    })
  })
  return {
    child,
    lines,
    ended,
    says(text) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const line = lines.find((said) => said.startsWith(text))
          if (line === undefined && !hasEnded) return
          waiting.delete(look)
          if (line === undefined) reject(new Error(`the process ended before it said ${text}`))
          else resolve(line)
        }
        waiting.add(look)
        look()
      })
    },
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}

/** A folder of its own, removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-faults-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Waits for a condition that another process or a background loop brings about. */
export async function until(isTrue: () => boolean | Promise<boolean>, limitMs = 12_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`this did not come true within ${limitMs} ms: ${isTrue}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
