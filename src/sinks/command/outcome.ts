import type { Outcome, OutcomeName } from '../../core/outcome.ts'
import { escapeControl } from '../../io/escape.ts'
import type { RunResult } from '../../io/process.ts'

export type ExitMeanings = Readonly<Record<OutcomeName, readonly number[]>>

const meaningOrder = ['ack', 'retry', 'reject', 'discard'] as const

/** How ends are read. */
interface Reading {
  readonly exit: ExitMeanings
  /** False: a run that was cut off is never repeated. */
  readonly idempotent: boolean
}

/** What the end of a command means for its events. `secrets` (value → name) are taken out of what it wrote. */
export function commandOutcome(
  result: RunResult,
  { exit, idempotent }: Reading,
  secrets: ReadonlyMap<string, string>,
  why?: string,
): Outcome {
  if (result.kind === 'failed') {
    return { outcome: 'retry', reason: `the command did not start: ${result.problem}`, detail: { exitCode: -1 } }
  }
  const { code, signal, isAborted, left } = result
  const detail = { exitCode: code, ...(signal === null ? {} : { signal }), ...outputOf(result, secrets) }
  if (isAborted) {
    const reason = `stopped with all it started: ${why ?? 'it was aborted'}`
    return { ...cutOff(reason, idempotent), detail: left === 0 ? detail : { ...detail, processesLeft: left } }
  }
  if (code === null) return { ...cutOff(`ended by ${signal}`, idempotent), detail }
  const outcome = meaningOrder.find((name) => exit[name].includes(code)) ?? 'retry'
  return outcome === 'ack' ? { outcome, detail } : { outcome, reason: `exit code ${code}`, detail }
}

/** It did not come to its own end: nobody knows how much of its work it has done. */
function cutOff(reason: string, isRepeatable: boolean): Outcome {
  if (isRepeatable) return { outcome: 'retry', reason }
  return { outcome: 'reject', reason: `${reason}; not run again, because it is not idempotent` }
}

function outputOf(result: RunResult & { kind: 'ended' }, secrets: ReadonlyMap<string, string>) {
  const output: Record<string, string | boolean> = {}
  for (const name of ['stdout', 'stderr'] as const) {
    const { text, isTruncated } = result[name]
    if (text !== '') output[name] = printable(text, secrets)
    if (isTruncated) output[`${name}Truncated`] = true
  }
  return output
}

/** Lines stay lines; every other control character is written out. */
function printable(text: string, secrets: ReadonlyMap<string, string>): string {
  let shown = text
  for (const [secret, name] of secrets) shown = shown.replaceAll(secret, `[${name}]`)
  return shown.split('\n').map(escapeControl).join('\n')
}

const secretName = /TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH|DSN/i

/** Values of variables whose name says that they are secret. */
export function secretsOf(env: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(
    Object.entries(env)
      .filter(([name, value]) => secretName.test(name) && value.length >= 4)
      .map(([name, value]) => [value, name]),
  )
}
