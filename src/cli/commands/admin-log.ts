import type { Command } from 'commander'
import type { AdminEntry } from '../../runtime/admin-log.ts'
import { withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { clock, wholeNumber } from '../numbers.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { type Column, table } from '../table.ts'

interface LogOptions extends CommonOptions {
  readonly limit?: string
  readonly after?: string
}

const columns: readonly Column<AdminEntry>[] = [
  { title: 'number', value: ({ number }) => number, isNumber: true },
  { title: 'at (UTC)', value: ({ at }) => clock(at), isWhole: true, style: () => 'dim' },
  { title: 'actor', value: ({ actor }) => actor },
  { title: 'action', value: ({ action }) => action },
  { title: 'subscription', value: ({ subscription }) => subscription },
  { title: 'changed', value: changed },
]

/** `admin-log`: what administrators did. */
export function register(program: Command, io: CliIo): void {
  program
    .command('admin-log')
    .description(
      'Show what administrators did, the newest first: who, what, and what changed by it. With --json all that is kept of each.',
    )
    .option('--limit <count>', 'at most this many, up to 1000 (default: 50)')
    .option('--after <number>', 'only entries older than this one')
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<LogOptions>(command)
      const limit = options.limit === undefined ? 50 : wholeNumber(options.limit, '--limit', 1)
      const after = options.after === undefined ? '' : `&after=${wholeNumber(options.after, '--after', 1)}`
      await withApi(io, options, 'read', async (api) => {
        const page = await api.call<{ entries: AdminEntry[] }>('GET', `/v1/admin-log?limit=${limit}${after}`)
        if (options.json === true) return io.out(JSON.stringify(page))
        if (page.entries.length === 0) return io.err(`nothing is written down in the admin log of ${api.where}`)
        io.out(table(io, columns, page.entries))
      })
    })
}

/** What is another than before, and what came of it. */
function changed({ before, after, facts }: AdminEntry): string {
  const [old, now] = [flat(before), flat(after)]
  const names = [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name))
  const changes = names.map((name) => `${name} ${old.get(name) ?? '-'} → ${now.get(name) ?? '-'}`)
  return [...changes, ...[...flat(facts)].map(([name, value]) => `${name} ${value}`)].join(', ')
}

function flat(value: unknown): Map<string, string> {
  const members = Object.entries((value ?? {}) as object)
  return new Map(members.map(([name, each]) => [name, typeof each === 'string' ? each : JSON.stringify(each)]))
}
