import { isIP } from 'node:net'
import type { Rate } from '../core/duration.ts'
import { timeProblem } from '../core/event-fields.ts'
import { type EventPath, pathOption } from './event-path.ts'
import { schema } from './schema.ts'
import { count, rate, size } from './values.ts'

/** Scopes of a token. */
const tokenScopes = ['ingest', 'read', 'admin'] as const

/** How much of the content of events a token is shown. */
export const payloadViews = ['full', 'masked', 'hidden'] as const
export type PayloadView = (typeof payloadViews)[number]

const time = schema.string().refine((text) => timeProblem(text) === undefined, {
  error: 'a time such as 2027-01-31T12:00:00Z is needed',
})

const token = schema.strictObject({
  name: schema.string().min(1).describe('Who uses the token; shown in logs.'),
  hash: schema
    .string()
    .regex(/^[0-9a-f]{64}$/i, { error: 'the SHA-256 of the token is needed, 64 hexadecimal digits' })
    .describe('SHA-256 of the token in hexadecimal; the token itself is never written down.'),
  scopes: schema.array(schema.enum(tokenScopes)).min(1).describe('What the token may do.'),
  sources: schema.array(schema.string().min(1)).describe('Sources it may publish as. Default: every one.').optional(),
  expires: time.describe('From this time on (RFC 3339) the token is not known. Default: never.').optional(),
  payload: schema
    .enum(payloadViews)
    .describe(
      'What it is shown of data and meta where events are looked at. masked (default): all but what server.mask names; then no batches and no state. full: all. hidden: nothing, and no streams, batches or state.',
    )
    .optional(),
  rate: rate('Requests it may make, such as 100/s. Default: limits.rate.').optional(),
})

const address = schema
  .string()
  .refine(isAddressOrNet, { error: 'an address or a network such as 10.0.0.0/8 is needed' })

/** True for `10.1.2.3`, `10.0.0.0/8`, `::1` or `fd00::/8`. */
function isAddressOrNet(text: string): boolean {
  const [ip = '', bits, ...more] = text.split('/')
  const family = isIP(ip)
  if (family === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

const origin = schema.string().refine((text) => /^https?:\/\/[^/\s]+$/.test(text), {
  error: 'an origin such as https://ops.example is needed, without a path',
})

/** The setting `server`. */
export const serverSchema = schema.strictObject({
  host: schema.string().min(1).describe('The address to listen on. Default: 127.0.0.1.').optional(),
  port: schema.int().min(0).max(65_535).describe('The port; 0 for any free one. Default: 7117.').optional(),
  tokens: schema.array(token).describe('Tokens of the HTTP API.').optional(),
  hosts: schema
    .array(schema.string().min(1))
    .describe('Names that requests may ask for in Host, without port, beside those of this machine. Bound wider: any.')
    .optional(),
  origins: schema.array(origin).describe('Other sites whose pages may call. Default: none.').optional(),
  mask: schema
    .array(pathOption('A place: data.customer.card, data.items[*].pin or meta.ip.', ['data', 'meta']))
    .max(100)
    .describe(
      'Places whose value is shown as *** where events are looked at; deliveries are whole, and those to pull for tokens with payload: full. Default: none.',
    )
    .optional(),
  trustedProxies: schema
    .array(address)
    .describe('Proxies whose X-Forwarded-For is believed: addresses or networks. Default: none.')
    .optional(),
})

/** The setting `limits`. */
export const limitsSchema = schema.strictObject({
  body: size('Largest request body. Default: 1MiB.').optional(),
  batch: count('Most events in one request. Default: 10000.').optional(),
  gzip: schema
    .boolean()
    .describe('Take bodies of events with Content-Encoding: gzip; limits are on what comes out. Default: false.')
    .optional(),
  depth: count('Deepest nesting of JSON data. Default: 64.').optional(),
  rate: rate('Requests of one token, or of one address without token, such as 1000/s. Default: no limit.').optional(),
  attempts: count(
    'Most attempts under way at a time, over all subscriptions. Default: 1024, and more where one subscription needs it.',
  ).optional(),
  connections: count('Most connections at a time. Default: 10000.').optional(),
  warnSize: size('Events with more data than this are counted and logged. Default: 256KiB.').optional(),
  warnOptional: count(
    'Schemas with more optional properties in one object than this are warned of. Default: 20.',
  ).optional(),
})

/** One token of the HTTP API, as configured. */
export interface TokenPlan {
  readonly name: string
  /** SHA-256 of the token, as text. */
  readonly hash: string
  readonly scopes: readonly (typeof tokenScopes)[number][]
  /** Undefined: every source. */
  readonly sources: readonly string[] | undefined
  /** Milliseconds since 1970 from which it is not known. */
  readonly expiresMs?: number | undefined
  readonly rate?: Rate | undefined
  /** Default: masked. */
  readonly payload?: PayloadView | undefined
}

/** The setting `server` with its defaults. */
export interface ServerPlan {
  readonly host: string
  readonly port: number
  readonly tokens: readonly TokenPlan[]
  readonly hosts: readonly string[]
  readonly origins: readonly string[]
  readonly trustedProxies: readonly string[]
  /** Places of events that are not shown. */
  readonly mask: readonly EventPath[]
}

/** The setting `limits` with its defaults. */
export interface LimitsPlan {
  readonly bodyBytes: number
  readonly batch: number
  /** Bodies of events may be compressed. */
  readonly gzip: boolean
  readonly depth: number
  /** Undefined: no limit. */
  readonly rate: Rate | undefined
  readonly connections: number
  /** Undefined: as many as the subscriptions need, at least 1,024. */
  readonly attempts: number | undefined
  /** Data larger than this is counted and logged. */
  readonly warnBytes: number
  /** Optional properties in one object of a schema that are warned of beyond this. */
  readonly warnOptional: number
}

/** Fills in the defaults of `server`. */
export function serverPlan(given: schema.output<typeof serverSchema> = {}): ServerPlan {
  return {
    host: given.host ?? '127.0.0.1',
    port: given.port ?? 7117,
    tokens: (given.tokens ?? []).map(({ expires, ...rest }) => ({
      ...rest,
      sources: rest.sources,
      expiresMs: expires === undefined ? undefined : Date.parse(expires),
    })),
    hosts: given.hosts ?? [],
    origins: given.origins ?? [],
    trustedProxies: given.trustedProxies ?? [],
    mask: given.mask ?? [],
  }
}

/** Fills in the defaults of `limits`. */
export function limitsPlan(given: schema.output<typeof limitsSchema> = {}): LimitsPlan {
  return {
    bodyBytes: given.body ?? 2 ** 20,
    batch: given.batch ?? 10_000,
    gzip: given.gzip ?? false,
    depth: given.depth ?? 64,
    rate: given.rate,
    connections: given.connections ?? 10_000,
    attempts: given.attempts,
    warnBytes: given.warnSize ?? 256 * 1024,
    warnOptional: given.warnOptional ?? 20,
  }
}
