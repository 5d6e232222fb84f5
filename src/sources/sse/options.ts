import { checkPattern } from '../../core/match.ts'
import { eventTypeOption } from '../../io/event-type.ts'
import { headersOption, urlOption } from '../../io/http-options.ts'
import { receivedOptions } from '../../io/received-options.ts'
import { schema } from '../../plugin/schema.ts'
import { duration, size } from '../../plugin/values.ts'

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
  ...receivedOptions({
    from: ['data', 'event', 'id'],
    where: 'a path into the data, or an expression over data, event and id',
    otherwise: 'CloudEvents are taken as they are.',
  }),
  retry: duration('The wait before a new connection, until the server names another.', 10).prefault('3s'),
  maxRetry: duration('The longest wait, also of what the server asks for.', 10).prefault('1m'),
  idle: duration('A connection on which nothing came for this long is made anew.', 10).prefault('5m'),
  maxEvent: size('The largest event; larger ones are left out and logged.').prefault('1MiB'),
})

export type SseOptions = schema.output<typeof options>
