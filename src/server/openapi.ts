import { errorCodes } from '../core/errors.ts'
import { type Schema, schema } from '../plugin/schema.ts'
import { type Route, routes } from './contract.ts'

type Member = Readonly<Record<string, unknown>>

/** The API as an OpenAPI 3.1 document, made from the contract. */
export function openApi(version: string): Member {
  const paths = new Map<string, Record<string, Member>>()
  for (const [name, route] of Object.entries<Route>(routes)) {
    const path = paths.get(route.path) ?? {}
    path[route.method.toLowerCase()] = operation(name, route)
    paths.set(route.path, path)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Millrace', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: problemShape },
    },
  }
}

const problemShape: Member = {
  type: 'object',
  description: 'An RFC 9457 problem; type leads to the page of the code',
  required: ['type', 'title', 'code', 'detail'],
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { description: 'The HTTP status; for an event that conflicts, the word conflict' },
    code: { type: 'string', enum: Object.keys(errorCodes) },
    detail: { type: 'string' },
    outcome: { type: 'string', description: 'indeterminate: it is not known whether the events are stored' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          code: { type: 'string' },
          detail: { type: 'string' },
          pointer: { type: 'string', description: 'Where in the body, as a JSON pointer' },
          suggestion: { type: 'string', description: 'The nearest spelling of something that exists' },
          available: { type: 'array', items: { type: 'string' }, description: 'What could stand there' },
        },
      },
    },
  },
}

function operation(name: string, route: Route): Member {
  const body = requestBody(route)
  return {
    operationId: name,
    summary: route.summary,
    parameters: [...pathParameters(route.path), ...queryParameters(route.query)],
    ...(body !== undefined && { requestBody: body }),
    responses: responses(route),
    security: route.scope === undefined ? [] : [{ token: [route.scope] }],
  }
}

function pathParameters(path: string): readonly Member[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string)
  return names.map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'sequence' ? { type: 'integer', minimum: 1 } : { type: 'string' },
  }))
}

function queryParameters(query: Schema | undefined): readonly Member[] {
  if (query === undefined) return []
  const { properties = {} } = jsonSchema(query, 'input') as { properties?: Record<string, Member> }
  return Object.entries(properties).map(([name, shape]) => ({ name, in: 'query', required: false, schema: shape }))
}

function requestBody({ body, consumes }: Route): Member | undefined {
  if (body !== undefined)
    return { required: true, content: { 'application/json': { schema: jsonSchema(body, 'input') } } }
  if (consumes === undefined) return undefined
  const content = consumes.map((type) => [type, { schema: type.endsWith('x-ndjson') ? { type: 'string' } : {} }])
  return { required: true, content: Object.fromEntries(content) }
}

const textShape: Member = { schema: { type: 'string' } }

function responses({ answers, errors, scope }: Route): Member {
  const all = new Map<string, Member>()
  for (const [status, shape] of Object.entries(answers)) {
    const description = statusText(Number(status))
    if (shape === undefined) all.set(status, { description })
    else if (typeof shape === 'string') all.set(status, { description, content: { [shape]: textShape } })
    else all.set(status, { description, content: { 'application/json': { schema: jsonSchema(shape, 'output') } } })
  }
  const codes = scope === undefined ? errors : [...errors, 'unauthorized' as const, 'forbidden' as const]
  for (const code of codes) {
    const status = String(errorCodes[code].status)
    const known = all.get(status)
    const title = errorCodes[code].title
    const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
    if (known === undefined) all.set(status, { description: title, content })
    else if (Number(status) >= 400)
      all.set(status, { ...known, description: `${known['description']}; ${title}`, content })
  }
  return Object.fromEntries([...all].sort(([a], [b]) => Number(a) - Number(b)))
}

function statusText(status: number): string {
  const texts = new Map([
    [201, 'Stored'],
    [202, 'Quarantined'],
    [409, 'Conflict'],
    [422, 'Nothing of it is valid'],
    [503, 'Unavailable'],
  ])
  return texts.get(status) ?? 'Done'
}

function jsonSchema(shape: Schema, io: 'input' | 'output'): Member {
  const { $schema: _, ...rest } = schema.toJSONSchema(shape, { io, unrepresentable: 'any' }) as Member
  return rest
}
