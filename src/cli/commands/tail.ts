import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { type Api, withApi } from '../api.ts'
import {
  eventLines,
  eventTexts,
  type FoundEvent,
  filterQuery,
  fromNewest,
  limitOf,
  type SearchOptions,
  searchPage,
  searchPages,
  withFilters,
} from '../event-search.ts'
import type { CliIo } from '../io.ts'
import { wholeNumber } from '../numbers.ts'
import { optionsOf } from '../settings.ts'

/** Soon enough to feel live, and nothing to a server: a page behind the head costs it no read. */
const pollMs = 250

/** `tail`: follows the log live. */
export function register(program: Command, io: CliIo): void {
  withFilters(program.command('tail'))
    .description('Follow the log live, beginning with the newest events that match. Ctrl-C ends.')
    .option('--after <sequence>', 'begin after this sequence; 0 is the beginning')
    .option('--limit <count>', 'how many of the newest are shown first (default: 10)')
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<SearchOptions>(command)
      const filters = filterQuery(options, Date.now())
      await withApi(io, options.config, 'read', (api) => follow(io, api, options, filters))
    })
}

async function follow(io: CliIo, api: Api, options: SearchOptions, filters: URLSearchParams): Promise<void> {
  const { signal } = io
  let hasTitle = true
  const print = (events: readonly FoundEvent[]): void => {
    if (events.length === 0) return
    io.out(options.json === true ? eventTexts(events) : eventLines(io, events, hasTitle))
    hasTitle = false
  }
  let after = options.after === undefined ? 0 : wholeNumber(options.after, '--after')
  if (options.after === undefined && options.since === undefined) {
    // The head first: an event that comes between the two questions is shown by the second.
    after = await newest(api)
    const before = after + 1
    const shown: FoundEvent[] = []
    const limit = limitOf(options, 10)
    for await (const page of searchPages(api, filters, { before }, limit)) shown.push(...page)
    print(shown.reverse())
  }
  if (options.json !== true && io.errIsTty) io.err(`following ${api.where}; Ctrl-C ends`)
  while (!signal.aborted) {
    const query = new URLSearchParams(filters)
    query.set('after', String(after))
    query.set('limit', '1000')
    const page = await searchPage(api, query)
    print(page.events)
    const last = page.events.at(-1)
    after = page.next ?? (last === undefined ? after : Math.max(after, Number(last.sequence)))
    if (page.next === undefined) await sleep(pollMs, undefined, { signal }).catch(() => undefined)
  }
}

async function newest(api: Api): Promise<number> {
  const page = await searchPage(api, new URLSearchParams({ before: String(fromNewest), limit: '1' }))
  return Number(page.events[0]?.sequence ?? 0)
}
