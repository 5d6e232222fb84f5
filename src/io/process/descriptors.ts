import type { StdioOptions } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'

type Stdio = Exclude<StdioOptions, string>

let stdio: Stdio | undefined

/**
 * Pipes for input and outputs, and nothing else. Node marks its own files so that no child gets them, and at its start
 * those that it was given, but not all: it stops at the first gap above 15. What is left open from whoever started this
 * process is covered with /dev/null in the child. Looked up once, because later files are all Node's own.
 */
export function privateStdio(): StdioOptions {
  stdio ??= coveredStdio(inheritableDescriptors())
  return stdio
}

/** Closes what was left open by whoever started this process. Only for a process that is all our own. */
export function closeInherited(): void {
  for (const descriptor of inheritableDescriptors()) closeSync(descriptor)
}

function coveredStdio(open: ReadonlySet<number>): Stdio {
  const pipes: Stdio = ['pipe', 'pipe', 'pipe']
  if (open.size === 0) return pipes
  const nothing = openSync('/dev/null', 'r')
  const last = Math.max(...open)
  for (let descriptor = 3; descriptor <= last; descriptor++) pipes.push(open.has(descriptor) ? nothing : 'ignore')
  return pipes
}

const closeOnExec = 0o2000000

/** Files of this process that its children would get. */
function inheritableDescriptors(): Set<number> {
  const found = new Set<number>()
  for (const name of namesIn('/proc/self/fdinfo')) {
    const flags = /^flags:\s*([0-7]+)$/m.exec(textOf(`/proc/self/fdinfo/${name}`))?.[1]
    if (Number(name) > 2 && flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0)
      found.add(Number(name))
  }
  return found
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** A file that was closed meanwhile has no text. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
