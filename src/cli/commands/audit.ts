import type { Command } from 'commander'
import type { AuditReport } from '../../runtime/api.ts'
import { withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { count, counted } from '../numbers.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { clean, paint } from '../table.ts'

/** `audit`: proves that the books balance. */
export function register(program: Command, io: CliIo): void {
  program
    .command('audit')
    .description(
      'Count log, deliveries and history again and compare: every examined event is accounted for. Exits 1 if not.',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      await withApi(io, options, 'read', async (api) => {
        const report = await api.call<AuditReport>('GET', '/v1/audit')
        if (!report.ok) io.setExit(1)
        io.out(options.json === true ? JSON.stringify(report) : auditText(io, report, api.where))
      })
    })
}

/** The report for people: one equation a subscription, and what does not hold. */
export function auditText(io: Pick<CliIo, 'isTty' | 'env'>, report: AuditReport, where: string): string {
  const lines = [`${where}: ${counted(report.events, 'event')} in the log, the newest is ${report.head}`]
  for (const problem of report.problems) lines.push(`  ${paint(io, 'red', '✗')} ${clean(problem)}`)
  for (const { name, ok, books, problems } of report.subscriptions) {
    lines.push('', `${paint(io, ok ? 'green' : 'red', ok ? '✓' : '✗')} ${paint(io, 'bold', clean(name))}`)
    lines.push(`  ${equation(books)}`)
    for (const problem of problems) lines.push(`  ${paint(io, 'red', clean(problem))}`)
  }
  const verdict = report.ok
    ? paint(io, 'green', 'The books balance.')
    : `${paint(io, 'red', 'The books do not balance.')} Keep a copy of the store (millrace backup) before anything else, and report it.`
  return [...lines, '', verdict].join('\n')
}

/** `examined 10 = filtered 2 + delivered 8`: what is 0 is left out. */
function equation(books: Readonly<Record<string, number>>): string {
  const { examined = 0, ...parts } = books
  const shown = Object.entries(parts).filter(([, value]) => value !== 0)
  const right = shown.length === 0 ? '0' : shown.map(([name, value]) => `${name} ${count(value)}`).join(' + ')
  const sum = Object.values(parts).reduce((total, value) => total + value, 0)
  return `examined ${count(examined)} ${sum === examined ? '=' : '≠'} ${right}`
}
