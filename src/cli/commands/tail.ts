import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Api } from '../api.ts'
import {
  eventPrinter,
  fromNewest,
  limitOf,
  newestEvents,
  type SearchOptions,
  searchCommand,
  searchPage,
} from '../event-search.ts'
import type { CliIo } from '../io.ts'
import { wholeNumber } from '../numbers.ts'

/** Soon enough to feel live, and nothing to a server: a page behind the head costs it no read. */
const pollMs = 250

/** `tail`: follows the log live. */
export function register(program: Command, io: CliIo): void {
  searchCommand(program.command('tail'), io, (api, options, filters) => follow(io, api, options, filters))
    .description('Follow the log live, beginning with the newest events that match. Ctrl-C ends.')
    .option('--after <sequence>', 'begin after this sequence; 0 is the beginning')
    .option('--limit <count>', 'how many of the newest are shown first (default: 10)')
}

async function follow(io: CliIo, api: Api, options: SearchOptions, filters: URLSearchParams): Promise<void> {
  const { signal } = io
  const printer = eventPrinter(io, options.json === true)
  let after = options.after === undefined ? 0 : wholeNumber(options.after, '--after')
  if (options.after === undefined && options.since === undefined) {
    // The head first: an event that comes between the two questions is shown by the second.
    after = await newest(api)
    printer.print(await newestEvents(api, filters, after + 1, limitOf(options, 10)))
  }
  if (options.json !== true && io.errIsTty) io.err(`following ${api.where}; Ctrl-C ends`)
  while (!signal.aborted) {
    const query = new URLSearchParams(filters)
    query.set('after', String(after))
    query.set('limit', '1000')
    const page = await searchPage(api, query)
    printer.print(page.events)
    const last = page.events.at(-1)
    after = page.next ?? (last === undefined ? after : Math.max(after, Number(last.sequence)))
    if (page.next === undefined) await sleep(pollMs, undefined, { signal }).catch(() => undefined)
  }
}

async function newest(api: Api): Promise<number> {
  const page = await searchPage(api, new URLSearchParams({ before: String(fromNewest), limit: '1' }))
  return Number(page.events[0]?.sequence ?? 0)
}
