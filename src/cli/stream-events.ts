import { AppError } from '../core/errors.ts'
import type { Api } from './api.ts'
import { arrayTexts, eventColumns, limitOf, type SearchOptions, type WireEvent } from './event-search.ts'
import type { CliIo } from './io.ts'
import { wholeNumber } from './numbers.ts'
import { type Column, table } from './table.ts'

/** An event of a stream on the wire. */
interface WireStreamEvent {
  readonly version: number
  readonly event: WireEvent
}

const columns: readonly Column<WireEvent & { readonly version: number }>[] = [
  { title: 'version', value: ({ version }) => version, isNumber: true },
  ...eventColumns.filter(({ title }) => title !== 'subject'),
]

/** `events --stream`: page after page, as lines of JSON or as one table. */
export async function printStream(
  io: CliIo,
  api: Api,
  options: SearchOptions,
  filters: URLSearchParams,
): Promise<void> {
  const name = options.stream as string
  const query = streamQuery(filters)
  let left = limitOf(options, Number.MAX_SAFE_INTEGER)
  let next: number | undefined = options.after === undefined ? 0 : wholeNumber(options.after, '--after')
  let version = 0
  let isFirst = true
  while (next !== undefined && left > 0) {
    query.set('after', String(next))
    query.set('limit', String(Math.min(left, 1_000)))
    const text = await api.text('GET', `/v1/streams/${encodeURIComponent(name)}?${query}`)
    const page = JSON.parse(text) as { events: WireStreamEvent[]; version: number; next?: number }
    if (page.events.length > 0) {
      io.out(options.json === true ? arrayTexts(text, 'events').join('\n') : tableOf(io, page.events, isFirst))
      isFirst = false
    }
    left -= page.events.length
    version = page.version
    next = page.next
  }
  if (!isFirst || options.json === true) return
  io.err(version === 0 ? `${api.where} has no stream of that name` : `the stream ends at version ${version}`)
}

function streamQuery(filters: URLSearchParams): URLSearchParams {
  const wrong = ['type', 'source', 'subject', 'id', 'since'].find((name) => filters.has(name))
  if (wrong !== undefined)
    throw new AppError(
      'usage',
      `--${wrong} does not go with --stream: it shows all events of one stream, by --after, --until and --limit`,
    )
  return new URLSearchParams(filters)
}

function tableOf(io: CliIo, events: readonly WireStreamEvent[], hasTitle: boolean): string {
  const rows = events.map(({ version, event }) => ({ ...event, version }))
  const lines = table(io, columns, rows)
  return hasTitle ? lines : lines.slice(lines.indexOf('\n') + 1)
}
