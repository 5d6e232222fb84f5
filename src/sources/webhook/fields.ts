import { createPick, type Pick, textOfValue } from '../../io/pick.ts'
import { idFrom, timeFrom, typeFrom } from '../../io/received-fields.ts'
import type { ReceivedEvent, ReceivedRequest } from '../../plugin/source.ts'
import type { WebhookOptions } from './options.ts'

/** Where a scheme's senders put the fields of an event, tried in order. */
interface Places {
  readonly id: readonly Pick[]
  readonly type: readonly Pick[]
  readonly subject: readonly Pick[]
  readonly time: readonly Pick[]
  /** Headers that stay the same when the sender repeats itself, and their names in meta. */
  readonly meta: readonly (readonly [header: string, name: string])[]
}

const names = ['body', 'headers', 'query'] as const

function at(...texts: readonly string[]): Pick[] {
  return texts.map((text) => {
    const made = createPick(text, names)
    if (!made.ok) throw new RangeError(made.problem)
    return made.pick
  })
}

const nowhere: Places = { id: [], type: at('"webhook.received"'), subject: [], time: [], meta: [] }

const places: Readonly<Record<WebhookOptions['scheme'], Places>> = {
  standard: {
    id: at('headers["webhook-id"]', 'headers["svix-id"]'),
    type: at('$.type', '"webhook.received"'),
    subject: at('$.subject'),
    time: at('$.timestamp', '$.time'),
    meta: [],
  },
  github: {
    id: at('headers["x-github-delivery"]'),
    type: at('"github." + headers["x-github-event"]', '"github.received"'),
    subject: at('$.repository.full_name', '$.organization.login'),
    time: [],
    meta: [
      ['x-github-event', 'githubevent'],
      ['x-github-hook-id', 'githubhookid'],
      ['x-github-hook-installation-target-id', 'githubtargetid'],
      ['x-github-hook-installation-target-type', 'githubtargettype'],
    ],
  },
  stripe: {
    id: at('$.id'),
    type: at('$.type', '"stripe.received"'),
    subject: at('$.data.object.id'),
    time: at('$.created'),
    meta: [],
  },
  slack: {
    id: at('$.event_id', '$.trigger_id'),
    type: at(
      '"slack." + body.event.type',
      '"slack." + body.type',
      'has(body.command) && body.command != "" ? "slack.command" : ""',
      '"slack.received"',
    ),
    subject: at('$.event.channel', '$.channel.id', '$.channel_id'),
    time: at('$.event_time'),
    meta: [],
  },
  hmac: nowhere,
  bearer: nowhere,
}

/** Makes what turns a request whose sender is known into an event. */
export function createFields(
  options: WebhookOptions,
): (request: ReceivedRequest, body: unknown, text: string | undefined) => ReceivedEvent {
  const { map } = options
  const own = places[options.scheme]
  const id = options.id === undefined ? own.id : [options.id]
  const type = map.type === undefined ? own.type : [map.type, ...own.type]
  const subject = map.subject === undefined ? own.subject : [map.subject]
  const time = map.time === undefined ? own.time : [map.time]
  const meta = [...own.meta, ...options.meta.map((header) => [header.toLowerCase(), metaName(header)] as const)]
  return (request, body, text) => {
    const scope = { body, headers: request.headers, query: Object.fromEntries(new URLSearchParams(request.query)) }
    const find = (picks: readonly Pick[]): string | undefined => {
      for (const pick of picks) {
        const found = textOfValue(pick(scope))
        if (found !== undefined) return found
      }
      return undefined
    }
    const kept = meta.flatMap(([header, name]) => {
      const value = request.headers[header]
      return value === undefined ? [] : [[name, value] as const]
    })
    const data = map.data === undefined ? { data: body, dataText: text } : { data: map.data(scope) }
    return {
      id: find(id) ?? idFrom(request.body),
      type: options.eventType ?? typeFrom(find(type), 'webhook.received'),
      subject: find(subject),
      time: timeFrom(find(time)),
      ...data,
      ...(kept.length > 0 && { meta: Object.fromEntries(kept) }),
    }
  }
}

/** `X-Shop-Domain` as a name of meta that travels as a CloudEvents attribute. */
function metaName(header: string): string {
  return header
    .toLowerCase()
    .replace(/^x-/, '')
    .replaceAll(/[^a-z0-9]/g, '')
    .slice(0, 20)
}
