import { createMatchIndex } from '../core/match.ts'
import { versionAttribute } from '../core/schema-version.ts'
import type { EventSchemas } from '../plugin/event-schemas.ts'

type Member = Readonly<Record<string, unknown>>

/** A subscription whose events clients can read over HTTP. */
export interface Readable {
  readonly name: string
  readonly sink?: string | undefined
  readonly match: readonly string[]
}

/** The events of a pipeline as an AsyncAPI 3 document: every type and version with a schema, where to send it, where to read it. */
export function asyncApi(version: string, schemas: EventSchemas, subscriptions: readonly Readable[]): Member {
  const messages = [...schemas.values()].flatMap(({ type, versions }) =>
    [...versions.values()].map((each) => ({ type, key: messageKey(type, each.version), ...each })),
  )
  const readable = subscriptions.filter(({ sink }) => sink === 'sse')
  const channels = [
    ['events', channel('/v1/events', 'Events sent to the pipeline', messages)],
    ...readable.map(({ name, match }) => {
      const index = createMatchIndex<true>()
      index.add(true, match, undefined)
      const shown = messages.filter(({ type }) => index.lookup('', type).length > 0)
      const address = `/v1/subscriptions/${encodeURIComponent(name)}/stream`
      return [streamKey(name), channel(address, `Events of the subscription ${name}, as server-sent events`, shown)]
    }),
  ]
  return {
    asyncapi: '3.0.0',
    info: { title: 'Millrace', version },
    defaultContentType: 'application/cloudevents+json',
    channels: Object.fromEntries(channels),
    operations: Object.fromEntries([
      ['publishEvents', operation('receive', 'events', 'POST')],
      ...readable.map(({ name }) => [streamKey(name), operation('send', streamKey(name), 'GET')]),
    ]),
    components: {
      messages: Object.fromEntries(
        messages.map(({ type, version: number, key, json }) => [key, message(type, number, json)]),
      ),
    },
  }
}

function messageKey(type: string, version: number): string {
  return `${type}.v${version}`
}

/** Keys are letters, digits, dots, `_` and `-`, as names of subscriptions are; a prefix keeps them apart from `events`. */
function streamKey(name: string): string {
  return `stream.${name}`
}

function channel(address: string, description: string, messages: readonly { readonly key: string }[]): Member {
  return {
    address,
    description,
    messages: Object.fromEntries(messages.map(({ key }) => [key, { $ref: `#/components/messages/${key}` }])),
  }
}

function operation(action: 'receive' | 'send', key: string, method: string): Member {
  return { action, channel: { $ref: `#/channels/${key}` }, bindings: { http: { method, bindingVersion: '0.3.0' } } }
}

function message(type: string, version: number, json: Member | undefined): Member {
  return {
    name: type,
    title: `${type}, version ${version}`,
    contentType: 'application/cloudevents+json',
    payload: {
      type: 'object',
      required: ['specversion', 'id', 'source', 'type', 'data'],
      properties: {
        specversion: { const: '1.0' },
        id: { type: 'string' },
        source: { type: 'string' },
        type: { const: type },
        subject: { type: 'string' },
        time: { type: 'string', format: 'date-time' },
        [versionAttribute]: { const: version },
        data: json === undefined ? {} : embedded(json, type, version),
      },
    },
  }
}

/** Inside another document `#/…` leads elsewhere, so the schema gets an id of its own. */
function embedded({ $schema: _, ...schema }: Member, type: string, version: number): Member {
  return { $id: `urn:millrace:${encodeURIComponent(type)}:${version}`, ...schema }
}
