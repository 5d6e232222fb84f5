import { checkPattern } from '../../core/match.ts'
import { eventTypeOption } from '../../io/event-type.ts'
import { headersOption, urlOption } from '../../io/http-options.ts'
import { durationOption, sizeOption } from '../../io/options.ts'
import { pickOption } from '../../io/pick.ts'
import { schema } from '../../plugin/schema.ts'

const where = (what: string) =>
  pickOption(`Where ${what} is: a path into the data, or an expression over data, event and id.`, [
    'data',
    'event',
    'id',
  ])

const pattern = schema.string().superRefine((text, context) => {
  const message = checkPattern(text)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})

/** The options of the source `sse`. */
export const options = schema.strictObject({
  url: urlOption('The http or https URL of the stream, without user name and password.'),
  headers: headersOption('Headers of each request, for example Authorization.', [
    'accept',
    'cache-control',
    'last-event-id',
  ]).default({}),
  types: schema.array(pattern).min(1).describe('Types to take: *, prefix.* or exact. Default: all.').optional(),
  eventType: eventTypeOption('The type of every event. Default: as the stream calls it.').optional(),
  id: where('the id of an event').optional(),
  map: schema
    .strictObject({
      type: where('the type').optional(),
      subject: where('the subject').optional(),
      time: where('the time (RFC 3339, or seconds since 1970)').optional(),
      data: where('the data').optional(),
    })
    .describe('Where the fields of an event are. CloudEvents are taken as they are.')
    .default({}),
  retry: durationOption('The wait before a new connection, until the server names another.', { minMs: 10 }).prefault(
    '3s',
  ),
  maxRetry: durationOption('The longest wait, also of what the server asks for.', { minMs: 10 }).prefault('1m'),
  idle: durationOption('A connection on which nothing came for this long is made anew.', { minMs: 10 }).prefault('5m'),
  maxEvent: sizeOption('The largest event; larger ones are left out and logged.').prefault('1MiB'),
})

export type SseOptions = schema.output<typeof options>
