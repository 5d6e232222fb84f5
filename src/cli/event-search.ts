import type { Command } from 'commander'
import { AppError } from '../core/errors.ts'
import { elementSpans, memberSpan } from '../core/json-scan.ts'
import { type Api, withApi } from './api.ts'
import type { CliIo } from './io.ts'
import { clock, moment, wholeNumber } from './numbers.ts'
import { patternsOf } from './patterns.ts'
import { type CommonOptions, optionsOf } from './settings.ts'
import { type Column, table } from './table.ts'

/** An event on the wire: CloudEvents JSON with `sequence` and `recordedtime`. */
export interface WireEvent {
  readonly sequence: string
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject?: string
  readonly recordedtime: string
}

/** An event that a search found, with its own text: data is printed as the producer wrote it. */
export interface FoundEvent extends WireEvent {
  readonly text: string
}

/** One page of a search, and where to go on. */
export interface EventPage {
  readonly events: readonly FoundEvent[]
  readonly next: number | undefined
}

/** One page of `GET /v1/events`. */
export async function searchPage(api: Api, query: URLSearchParams): Promise<EventPage> {
  const text = await api.text('GET', `/v1/events?${query}`)
  const { events, next } = JSON.parse(text) as { events: WireEvent[]; next?: number }
  const texts = arrayTexts(text, 'events')
  return { events: events.map((event, index) => ({ ...event, text: texts[index] ?? '' })), next }
}

/** The text of each element of an array that is a member of the object. */
export function arrayTexts(text: string, member: string): string[] {
  const span = memberSpan(text, member)
  const array = span === undefined ? '[]' : text.slice(span.start, span.end)
  return (elementSpans(array) ?? []).map(({ start, end }) => array.slice(start, end))
}

/** Events as lines of JSON. */
function eventTexts(events: readonly FoundEvent[]): string {
  return events.map(({ text }) => text).join('\n')
}

export interface SearchOptions extends CommonOptions {
  readonly type?: readonly string[]
  readonly source?: string
  readonly subject?: string
  readonly id?: string
  readonly since?: string
  readonly until?: string
  readonly after?: string
  readonly limit?: string
  readonly stream?: string
}

/** A command that asks for events: the filters that `events` and `tail` share, and what is done with them. */
export function searchCommand(
  command: Command,
  io: CliIo,
  run: (api: Api, options: SearchOptions, filters: URLSearchParams) => Promise<void>,
): Command {
  return withFilters(command).action(async (_options: unknown, self: Command) => {
    const options = optionsOf<SearchOptions>(self)
    const filters = filterQuery(options, Date.now())
    await withApi(io, options, 'read', (api) => run(api, options, filters))
  })
}

function withFilters(command: Command): Command {
  return command
    .option('--type <pattern>', 'exact type, prefix.* or *; several by comma or by repeating', patternsOf('--type'))
    .option('--source <source>', 'only this source')
    .option('--subject <subject>', 'only this subject')
    .option('--id <id>', 'only this id')
    .option('--since <time>', 'taken in at or after: how long ago (15m, 2h, 7d), a day or an RFC 3339 time')
}

/** The filters as the query of `GET /v1/events`. */
function filterQuery(options: SearchOptions, nowMs: number): URLSearchParams {
  const query = new URLSearchParams()
  for (const type of options.type ?? []) if (type !== '') query.append('type', type)
  for (const name of ['source', 'subject', 'id'] as const) {
    const value = options[name]
    if (value !== undefined) query.set(name, value)
  }
  if (options.since !== undefined) query.set('since', moment(options.since, '--since', nowMs))
  if (options.until !== undefined) query.set('until', moment(options.until, '--until', nowMs))
  return query
}

/** `--limit` as a number of events. */
export function limitOf(options: SearchOptions, otherwise: number): number {
  return options.limit === undefined ? otherwise : wholeNumber(options.limit, '--limit', 1)
}

const pageSize = 1_000

/** Pages of a search, upwards from `after` or downwards from `before`, until the end of the log or the limit. */
export async function* searchPages(
  api: Api,
  filters: URLSearchParams,
  from: { readonly after: number } | { readonly before: number },
  limit: number,
): AsyncGenerator<readonly FoundEvent[]> {
  const [direction, start] = 'after' in from ? (['after', from.after] as const) : (['before', from.before] as const)
  let left = limit
  let position: number | undefined = start
  while (left > 0 && position !== undefined) {
    const query = new URLSearchParams(filters)
    query.set(direction, String(position))
    query.set('limit', String(Math.min(left, pageSize)))
    const page = await searchPage(api, query)
    if (page.events.length > 0) yield page.events
    left -= page.events.length
    if (page.next !== undefined && page.next === position) throw new AppError('internal', 'the search does not advance')
    position = page.next
  }
}

/** Greater than every sequence: where a search from the newest event begins. */
export const fromNewest = Number.MAX_SAFE_INTEGER

/** The newest events below a sequence, oldest of them first. They are found the other way round, so all are held. */
export async function newestEvents(
  api: Api,
  filters: URLSearchParams,
  before: number,
  limit: number,
): Promise<readonly FoundEvent[]> {
  const events: FoundEvent[] = []
  for await (const page of searchPages(api, filters, { before }, limit)) events.push(...page)
  return events.reverse()
}

/** Prints page after page, as lines of JSON or as one table. `hasPrinted` tells whether there was anything. */
export function eventPrinter(
  io: CliIo,
  json: boolean,
): { print(events: readonly FoundEvent[]): void; readonly hasPrinted: boolean } {
  let hasPrinted = false
  const seen: number[] = []
  return {
    print(events) {
      if (events.length === 0) return
      io.out(json ? eventTexts(events) : eventLines(io, events, !hasPrinted, seen))
      hasPrinted = true
    },
    get hasPrinted() {
      return hasPrinted
    },
  }
}

export const eventColumns: readonly Column<WireEvent>[] = [
  { title: 'sequence', value: ({ sequence }) => sequence, isNumber: true },
  { title: 'recorded (UTC)', value: ({ recordedtime }) => clock(recordedtime), isWhole: true, style: () => 'dim' },
  { title: 'source', value: ({ source }) => source },
  { title: 'type', value: ({ type }) => type, style: () => 'cyan' },
  { title: 'subject', value: ({ subject }) => subject },
  { title: 'id', value: ({ id }) => id },
]

/** Events as a table. */
export function eventTable(io: CliIo, events: readonly WireEvent[]): string {
  return table(io, eventColumns, events)
}

/** Events as a table, without a title when they continue one; `seen` are its columns so far. */
function eventLines(io: CliIo, events: readonly WireEvent[], hasTitle: boolean, seen: number[]): string {
  const text = table(io, eventColumns, events, { seen })
  return hasTitle ? text : text.slice(text.indexOf('\n') + 1)
}
