import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import type { Api } from '../api.ts'
import {
  eventPrinter,
  fromNewest,
  limitOf,
  newestEvents,
  type SearchOptions,
  searchCommand,
  searchPages,
} from '../event-search.ts'
import type { CliIo } from '../io.ts'
import { count, wholeNumber } from '../numbers.ts'
import { printStream } from '../stream-events.ts'

/** The newest are found first and shown last, so all of them are held. */
const heldLimit = 100_000

/** `events`: searches the log. */
export function register(program: Command, io: CliIo): void {
  searchCommand(program.command('events'), io, (api, options, filters) => search(io, api, options, filters))
    .description(
      'Search the log: the newest events that match, oldest of them first; from the oldest with --after or --since. With --stream: the events of one stream with their versions, from the first on.',
    )
    .option('--stream <name>', 'the events of this stream; --after is a version then, and --until shows it as it was')
    .option('--until <time>', 'taken in before')
    .option('--after <sequence>', 'only greater sequences; 0 is the beginning')
    .option('--limit <count>', 'at most this many (default: 50)')
}

async function search(io: CliIo, api: Api, options: SearchOptions, filters: URLSearchParams): Promise<void> {
  if (options.stream !== undefined) return printStream(io, api, options, filters)
  const limit = limitOf(options, 50)
  const printer = eventPrinter(io, options.json === true)
  if (options.after !== undefined || options.since !== undefined) {
    const after = options.after === undefined ? 0 : wholeNumber(options.after, '--after')
    // In order of the log nothing has to be held: every page is printed as it comes.
    for await (const page of searchPages(api, filters, { after }, limit)) printer.print(page)
  } else {
    if (limit > heldLimit)
      throw new AppError('usage', `--limit above ${count(heldLimit)} needs --after, for example --after 0`)
    printer.print(await newestEvents(api, filters, fromNewest, limit))
  }
  if (printer.hasPrinted || options.json === true) return
  io.err(filters.size === 0 ? `${api.where} has no events` : `no event of ${api.where} matches`)
}
