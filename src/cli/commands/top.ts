import type { Command } from 'commander'
import { parseDuration } from '../../core/duration.ts'
import { AppError } from '../../core/errors.ts'
import type { SubscriptionStatus } from '../../runtime/api.ts'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { count, counted, wholeNumber } from '../numbers.ts'
import { pause } from '../pause.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { type Column, table } from '../table.ts'
import { logOf } from './stats.ts'
import { allSubscriptions, subscriptionColumns } from './subscriptions.ts'

interface TopOptions extends CommonOptions {
  readonly every?: string
  readonly count?: string
  readonly limit?: string
}

/** `top`: log and subscriptions, live, the busiest first. */
export function register(program: Command, io: CliIo): void {
  program
    .command('top')
    .description('Show log and subscriptions live, the busiest first, with what they deliver a second. Ctrl-C ends.')
    .option('--every <duration>', 'how often to look (default: 1s)')
    .option('--count <count>', 'end after so many looks (default: none)')
    .option('--limit <count>', 'at most this many subscriptions (default: 20)')
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<TopOptions>(command)
      const everyMs = everyOf(options.every ?? '1s')
      const looks = options.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber(options.count, '--count', 1)
      const limit = wholeNumber(options.limit ?? '20', '--limit', 1)
      await withApi(io, options, 'read', (api) =>
        follow(io, api, { everyMs, looks, limit, json: options.json === true }),
      )
    })
}

function everyOf(text: string): number {
  const every = parseDuration(text)
  if (every.ok && every.ms >= 100) return every.ms
  throw new AppError(
    'usage',
    `--every ${JSON.stringify(text.slice(0, 40))} is not a duration of at least 100ms, such as 2s`,
  )
}

/** One look: the counters, and when. */
interface Look {
  readonly at: number
  readonly head: number
  readonly subscriptions: readonly SubscriptionStatus[]
}

type Row = SubscriptionStatus & { readonly perSecond: number }

const rowColumns: readonly Column<Row>[] = subscriptionColumns.flatMap((column): Column<Row>[] =>
  column.title === 'delivered'
    ? [column, { title: 'per s', value: ({ perSecond }) => Math.round(perSecond), isNumber: true, isWhole: true }]
    : [column],
)

const home = '\u001b[H\u001b[2J'

async function follow(
  io: CliIo,
  api: Api,
  { everyMs, looks, limit, json }: { everyMs: number; looks: number; limit: number; json: boolean },
): Promise<void> {
  let before = await look(api)
  for (let n = 0; n < looks; n++) {
    await pause(everyMs, io.signal)
    if (io.signal.aborted) return
    const now = await look(api)
    const { appended, rows } = compared(before, now)
    const shown = rows.slice(0, limit)
    before = now
    if (json) {
      io.out(
        JSON.stringify({ at: new Date().toISOString(), head: now.head, perSecond: appended, subscriptions: shown }),
      )
      continue
    }
    const more = rows.length > shown.length ? `\n${counted(rows.length - shown.length, 'more subscription')}\n` : ''
    const title = `${api.where}: ${counted(now.head, 'event')}, ${count(appended)} new a second`
    io.out(`${io.isTty ? home : n === 0 ? '' : '\n'}${title}\n\n${table(io, rowColumns, shown)}${more}`)
  }
}

async function look(api: Api): Promise<Look> {
  const [{ head }, subscriptions] = [await logOf(api), await allSubscriptions(api)]
  return { at: performance.now(), head, subscriptions }
}

/** What changed between two looks, a second: the busiest first, then those that lag. */
function compared(before: Look, now: Look): { readonly appended: number; readonly rows: readonly Row[] } {
  const seconds = (now.at - before.at) / 1_000
  const known = new Map(before.subscriptions.map((each) => [each.name, doneBy(each)]))
  const rows = now.subscriptions.map((each) => ({
    ...each,
    perSecond: Math.max(0, doneBy(each) - (known.get(each.name) ?? doneBy(each))) / seconds,
  }))
  rows.sort((a, b) => b.perSecond - a.perSecond || b.lag + b.open - a.lag - a.open || (a.name < b.name ? -1 : 1))
  return { appended: Math.max(0, now.head - before.head) / seconds, rows }
}

function doneBy({ view, counters }: SubscriptionStatus): number {
  return view?.sent ?? counters.delivered
}
