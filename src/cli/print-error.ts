import { styleText } from 'node:util'
import { AppError, messageOf } from '../core/errors.ts'
import { formatIssue, type Issue } from '../core/issues.ts'
import { escapeControl } from '../io/escape.ts'
import type { CliIo } from './io.ts'

/** Says on stderr what went wrong, as text or as one JSON line, and sets the exit code: 2 for wrong use, 1 for the rest. */
export function printError(io: CliIo, error: unknown, json: boolean): void {
  const code = error instanceof AppError ? error.code : 'internal'
  io.setExit(code === 'usage' ? 2 : 1)
  const issues = issuesOf(error)
  if (json) {
    const facts = error instanceof AppError ? error.facts : {}
    io.err(JSON.stringify({ error: { code, message: messageOf(error), ...facts } }))
    return
  }
  const head = io.errIsTty && io.env['NO_COLOR'] === undefined ? styleText('red', 'error') : 'error'
  io.err(`${head} ${code}: ${escapeControl(headline(error, issues))}`)
  for (const issue of issues) io.err(`  ${escapeControl(formatIssue(issue))}`)
  if (!(error instanceof AppError)) {
    io.err('This is a bug in millrace or in a plug-in. Please report it with the lines below.')
    io.err(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
}

function issuesOf(error: unknown): readonly Issue[] {
  const issues = error instanceof AppError ? error.facts['issues'] : undefined
  return Array.isArray(issues) ? (issues as readonly Issue[]) : []
}

/** The message without the issues that follow on lines of their own. */
function headline(error: unknown, issues: readonly Issue[]): string {
  const message = messageOf(error)
  const first = issues[0]
  if (first === undefined) return message
  const at = message.indexOf(formatIssue(first).replaceAll(/\s+/g, ' '))
  return at > 0 ? message.slice(0, at).replace(/[:;,\s]+$/, '') : message
}
