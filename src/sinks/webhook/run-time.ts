import type { Json } from '../../core/event.ts'
import { generateSharedSecret } from '../../io/signing.ts'
import type { JsonOptions, RunTimeOptions } from '../../plugin/define.ts'

/** What stands in place of the part of a secret that is not shown; a `PUT` that sends it back leaves the secret as it is. */
const hidden = '…'
const shownCharacters = 'whsec_'.length + 4
/** Signatures of one request, at most. */
const mostSecrets = 4

interface Secret {
  readonly secret: string
  readonly until?: string | undefined
}

/** The options of endpoints that are made while the pipeline runs: a secret is made, shown once, changed with overlap. */
export const webhookAtRunTime: Required<RunTimeOptions> = {
  isSecret: true,

  complete(written, before) {
    const { secret, secrets, ...rest } = written
    const headers = withHidden(written['headers'], before?.['headers'])
    const options = headers === undefined ? rest : { ...rest, headers }
    const isKept = secret === undefined ? secrets === undefined || hasHidden(secrets) : hasHidden(secret)
    if (!isKept)
      return {
        options: { ...options, ...(secret !== undefined && { secret }), ...(secrets !== undefined && { secrets }) },
      }
    const stored = before === undefined ? [] : secretsOf(before)
    if (stored.length > 0) return { options: withSecrets(options, stored) }
    const made = generateSharedSecret()
    return { options: withSecrets(options, [{ secret: made }]), secret: made }
  },

  show(options, isWhole) {
    const { secret: _, secrets: __, headers, url, ...rest } = options
    const shown = secretsOf(options).map(({ secret, until }) =>
      until === undefined ? prefixOf(secret) : { secret: prefixOf(secret), until },
    )
    const names = Object.keys((headers ?? {}) as object).map((name) => [name, hidden] as const)
    return {
      url: isWhole ? url! : placeOf(String(url)),
      ...rest,
      ...(names.length > 0 && { headers: Object.fromEntries(names) }),
      secrets: shown,
    }
  },

  rotate(options, secret = generateSharedSecret(), oldUntil) {
    const { secret: _, secrets: __, ...rest } = options
    const old = secretsOf(options)
      .filter((each) => each.secret !== secret)
      .map((each) => ({ ...each, until: earlier(each.until, oldUntil) }))
    return { options: withSecrets(rest, [{ secret }, ...old].slice(0, mostSecrets)), secret }
  },

  tidy(options, nowMs) {
    const all = secretsOf(options)
    const left = all.filter(({ until }) => until === undefined || Date.parse(until) > nowMs)
    const ends = left.flatMap(({ until }) => (until === undefined ? [] : [Date.parse(until)]))
    const nextMs = ends.length === 0 ? undefined : Math.min(...ends)
    if (left.length === all.length) return { options, nextMs }
    const { secret: _, secrets: __, ...rest } = options
    return { options: withSecrets(rest, left), nextMs }
  },
}

function secretsOf({ secret, secrets }: JsonOptions): Secret[] {
  if (typeof secret === 'string') return [{ secret }]
  if (!Array.isArray(secrets)) return []
  return secrets.map((each) => (typeof each === 'string' ? { secret: each } : (each as unknown as Secret)))
}

function withSecrets(options: JsonOptions, secrets: readonly Secret[]): JsonOptions {
  const written = secrets.map(({ secret, until }): Json => (until === undefined ? secret : { secret, until }))
  return { ...options, secrets: written }
}

function hasHidden(value: unknown): boolean {
  return JSON.stringify(value).includes(hidden)
}

/** Header values that were sent back as they are shown stay as they were. */
function withHidden(written: unknown, before: unknown): Json | undefined {
  if (typeof written !== 'object' || written === null) return written as Json | undefined
  const known = (before ?? {}) as Readonly<Record<string, Json>>
  const values = Object.entries(written).map(([name, value]) => [
    name,
    value === hidden && Object.hasOwn(known, name) ? known[name] : value,
  ])
  return Object.fromEntries(values) as Json
}

function prefixOf(secret: string): string {
  return secret.slice(0, shownCharacters) + hidden
}

/** The host alone: a path or a query may be the credential. */
function placeOf(url: string): string {
  const { origin, pathname, search } = new URL(url)
  return pathname === '/' && search === '' ? `${origin}/` : `${origin}/${hidden}`
}

function earlier(a: string | undefined, b: string): string {
  return a === undefined || Date.parse(a) > Date.parse(b) ? b : a
}
