import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import { type Api, withApi } from '../api.ts'
import {
  eventLines,
  eventTexts,
  type FoundEvent,
  filterQuery,
  fromNewest,
  limitOf,
  type SearchOptions,
  searchPages,
  withFilters,
} from '../event-search.ts'
import type { CliIo } from '../io.ts'
import { count, wholeNumber } from '../numbers.ts'
import { optionsOf } from '../settings.ts'

/** The newest are found first and shown last, so all of them are held. */
const heldLimit = 100_000

/** `events`: searches the log. */
export function register(program: Command, io: CliIo): void {
  withFilters(program.command('events'))
    .description(
      'Search the log: the newest events that match, oldest of them first; from the oldest with --after or --since.',
    )
    .option('--until <time>', 'taken in before')
    .option('--after <sequence>', 'only greater sequences; 0 is the beginning')
    .option('--limit <count>', 'at most this many (default: 50)')
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<SearchOptions>(command)
      const filters = filterQuery(options, Date.now())
      await withApi(io, options.config, 'read', (api) => search(io, api, options, filters))
    })
}

async function search(io: CliIo, api: Api, options: SearchOptions, filters: URLSearchParams): Promise<void> {
  const limit = limitOf(options, 50)
  const isUpwards = options.after !== undefined || options.since !== undefined
  if (isUpwards) {
    const after = options.after === undefined ? 0 : wholeNumber(options.after, '--after')
    return printUpwards(io, api, filters, after, limit, options.json === true)
  }
  if (limit > heldLimit)
    throw new AppError('usage', `--limit above ${count(heldLimit)} needs --after, for example --after 0`)
  const events: FoundEvent[] = []
  for await (const page of searchPages(api, filters, { before: fromNewest }, limit)) events.push(...page)
  print(io, events.reverse(), options.json === true, true)
  if (events.length === 0) sayNothing(io, api, filters, options.json === true)
}

/** In order of the log nothing has to be held: every page is printed as it comes. */
async function printUpwards(
  io: CliIo,
  api: Api,
  filters: URLSearchParams,
  after: number,
  limit: number,
  json: boolean,
): Promise<void> {
  let isFirst = true
  for await (const page of searchPages(api, filters, { after }, limit)) {
    print(io, page, json, isFirst)
    isFirst = false
  }
  if (isFirst) sayNothing(io, api, filters, json)
}

function print(io: CliIo, events: readonly FoundEvent[], json: boolean, hasTitle: boolean): void {
  if (events.length === 0) return
  io.out(json ? eventTexts(events) : eventLines(io, events, hasTitle))
}

function sayNothing(io: CliIo, api: Api, filters: URLSearchParams, json: boolean): void {
  if (!json) io.err(filters.size === 0 ? `${api.where} has no events` : `no event of ${api.where} matches`)
}
