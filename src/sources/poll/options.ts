import { eventTypeOption } from '../../io/event-type.ts'
import { headersOption, urlOption } from '../../io/http-options.ts'
import { createPick, type Pick } from '../../io/pick.ts'
import { parseSchedule } from '../../io/schedule.ts'
import { schema } from '../../plugin/schema.ts'
import { duration, size } from '../../plugin/values.ts'
import { nextLink } from './link.ts'

/** Where a value is, with the words of the configuration. */
export interface Field {
  readonly text: string
  readonly pick: Pick
}

const ofItem = ['item', 'body', 'headers'] as const
const ofAnswer = ['body', 'headers', 'page', 'count'] as const

function field(
  names: readonly [string, ...string[]],
  description: string,
  { constant, words = {} }: { readonly constant?: string; readonly words?: Readonly<Record<string, Pick>> } = {},
) {
  return schema
    .string()
    .min(1)
    .describe(description)
    .transform((text, context): Field => {
      if (Object.hasOwn(words, text)) return { text, pick: words[text]! }
      const made = createPick(text, names, true)
      if (made.ok) return { text, pick: made.pick }
      const hint = constant !== undefined && /^[\w.-]+$/.test(text) ? ` (${constant})` : ''
      context.addIssue({ code: 'custom', message: `${made.problem}${hint}` })
      return schema.NEVER
    })
}

/** As `next`: the URL stands in the header Link, under rel=next. */
export const linkWord = 'link'

const nextText =
  'Of an answer: the token of the next page (with pageParam) or its URL; nothing on the last page. link: the URL of the header Link.'
const nextField = field(ofAnswer, nextText, { words: { [linkWord]: linkedPage } })

function linkedPage({ headers }: Readonly<Record<string, unknown>>): string | undefined {
  return nextLink((headers as Readonly<Record<string, string>>)['link'])
}

const inItem = (what: string, constant?: string) =>
  field(ofItem, `Of an item: ${what}.`, constant === undefined ? {} : { constant })
const inAnswer = (what: string) => field(ofAnswer, `Of an answer: ${what}.`)

const id = () =>
  inItem('its id; with a version in it, each change of the item is an event. Default: a hash of the item')
const subject = () => inItem('the subject of its event', 'a text that stands for itself is written in quotes')
const time = () => inItem('when it happened: RFC 3339, or a number as timeFormat says')
const data = () => inItem('the data of its event. Default: the whole item')
const parameter = (description: string) => schema.string().min(1).max(200).describe(description)
const scalar = schema.union([schema.string(), schema.number(), schema.boolean()])

const map = schema
  .strictObject({
    id: id().optional(),
    type: inItem(
      'the type of its event',
      'a type that is the same for all goes into eventType, or is written in quotes',
    ).optional(),
    subject: subject().optional(),
    time: time().optional(),
    data: schema
      .union([data(), schema.record(schema.string(), inItem('this member of the data'))])
      .describe('Where the data is, or the members of an object with where each is. Default: the whole item.')
      .optional(),
    meta: schema
      .record(schema.string(), inItem('this entry of meta'))
      .describe('Entries of meta, with where each is.')
      .optional(),
  })
  .describe('Where the fields of events are in an item.')

const backoff = schema.strictObject({
  first: duration('The pause after the first failure; it doubles with each one after.', 1).prefault('5s'),
  max: duration('The longest pause that comes of doubling.', 1).prefault('10m'),
  maxRetryAfter: duration('The longest Retry-After that is honoured.').prefault('1h'),
})

/** The options of the source `poll`. */
export const options = schema
  .strictObject({
    url: urlOption('The http or https URL to ask, without user name and password.'),
    method: schema.enum(['GET', 'POST']).default('GET').describe('How to ask.'),
    headers: headersOption('Headers of each request, for example Authorization.', [
      'if-none-match',
      'if-modified-since',
    ]).default({}),
    params: schema.record(schema.string().min(1), scalar).default({}).describe('Query parameters of each request.'),
    body: schema.json().optional().describe('With POST: the JSON that is sent.'),
    every: duration('From the beginning of one poll to the next. Default: 1m.', 10).optional(),
    cron: schema.string().min(1).max(200).describe('Instead of every: when to poll, as a cron pattern.').optional(),
    timezone: schema.string().min(1).max(100).default('UTC').describe('The time zone of cron.'),
    timeout: duration('How long one request may take, its whole answer included.', 1).prefault('30s'),
    maxBody: size('The largest answer that is read.').prefault('8MiB'),
    maxPages: schema
      .int()
      .min(1)
      .max(10_000)
      .default(100)
      .describe('Pages that one poll reads at most; the next one goes on from there.'),
    items: inAnswer('the list of items; a single object is a list of one').prefault('$'),
    eventType: eventTypeOption('The type of all events. Default: item.received.').optional(),
    id: id().optional(),
    subject: subject().optional(),
    time: time().optional(),
    data: data().optional(),
    map: map.default({}),
    cursor: inAnswer('the value that the next request goes on from').optional(),
    cursorField: inItem('the value whose largest the next request goes on from, such as a time of change').optional(),
    cursorParam: parameter(
      'The parameter that carries the cursor. Default: cursor, or since with cursorField.',
    ).optional(),
    start: parameter('The cursor to begin with while there is none; it goes before since.').optional(),
    since: duration('How far back to begin while there is no cursor. Default: no limit is sent.').optional(),
    sinceParam: parameter(
      'The parameter that carries the beginning. Default: cursorParam with cursorField, else since.',
    ).optional(),
    overlap: duration(
      'How much before a time cursor to read again, for rows that come late. Default: 1s with cursorField, else none.',
    ).optional(),
    timeFormat: schema
      .enum(['rfc3339', 'seconds', 'milliseconds'])
      .default('rfc3339')
      .describe('How times are written in requests, and what numbers that are times mean.'),
    next: nextField.optional(),
    pageParam: parameter('The parameter that carries the token of a page.').optional(),
    more: inAnswer('whether there is more to read at once').optional(),
    pageSize: schema
      .int()
      .min(1)
      .optional()
      .describe('Items of a full page: a shorter one is the last, so that no other request has to show it.'),
    paramsIn: schema
      .enum(['query', 'body'])
      .default('query')
      .describe('Where cursor, beginning and page token go. In the body, a.b is member b of member a.'),
    backoff: backoff.prefault({}).describe('Pauses after failures.'),
  })
  .superRefine((given, context) => {
    for (const { path, message } of problemsOf(given)) context.addIssue({ code: 'custom', path: [path], message })
  })

export type PollOptions = schema.output<typeof options>

type Given = Omit<PollOptions, 'backoff'>

function* problemsOf(given: Given): Generator<{ path: string; message: string }> {
  const { every, cron, timezone, method, body, paramsIn, map: fields } = given
  if (every !== undefined && cron !== undefined)
    yield { path: 'cron', message: 'every and cron exclude each other: give one of them' }
  const parsed = cron === undefined ? undefined : parseSchedule(cron, timezone)
  if (parsed?.ok === false)
    yield { path: parsed.problem.includes('time zone') ? 'timezone' : 'cron', message: parsed.problem }
  if (body !== undefined && method !== 'POST') yield { path: 'body', message: 'a body needs method: POST' }
  if (paramsIn === 'body' && method !== 'POST')
    yield { path: 'paramsIn', message: 'parameters in the body need method: POST' }
  if (paramsIn === 'body' && body !== undefined && (typeof body !== 'object' || body === null || Array.isArray(body)))
    yield { path: 'body', message: 'parameters go into the body, so it must be an object' }
  for (const name of ['id', 'subject', 'time', 'data'] as const)
    if (given[name] !== undefined && fields[name] !== undefined)
      yield { path: name, message: `${name} and map.${name} mean the same: give one of them` }
  if (given.eventType !== undefined && fields.type !== undefined)
    yield { path: 'eventType', message: 'eventType and map.type exclude each other: give one of them' }
  yield* cursorProblems(given)
}

function* cursorProblems(given: Given): Generator<{ path: string; message: string }> {
  const { cursor, cursorField, cursorParam, overlap, next, pageParam, pageSize } = given
  const hasCursor = cursor !== undefined || cursorField !== undefined
  if (cursor !== undefined && cursorField !== undefined)
    yield { path: 'cursorField', message: 'cursor and cursorField exclude each other: give one of them' }
  if (cursorParam !== undefined && !hasCursor)
    yield { path: 'cursorParam', message: 'it has no effect without cursor or cursorField' }
  if (overlap !== undefined && !hasCursor)
    yield { path: 'overlap', message: 'it has no effect without cursor or cursorField' }
  if (given.start !== undefined && !hasCursor)
    yield { path: 'start', message: 'it has no effect without cursor or cursorField' }
  if (given.sinceParam !== undefined && given.since === undefined)
    yield { path: 'sinceParam', message: 'it has no effect without since' }
  if (pageParam !== undefined && next === undefined)
    yield { path: 'pageParam', message: 'it has no effect without next' }
  if (pageParam !== undefined && next?.text === linkWord)
    yield { path: 'pageParam', message: 'the header Link holds a URL: it needs no parameter' }
  if (given.more !== undefined && next === undefined && !hasCursor)
    yield { path: 'more', message: 'it has no effect without next, cursor or cursorField' }
  if (pageSize !== undefined && (cursorField === undefined || next !== undefined))
    yield { path: 'pageSize', message: 'it has an effect only with cursorField and without next' }
}
