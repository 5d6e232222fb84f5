import type { Json } from '../../core/event.ts'
import type { Target } from './bookmark.ts'
import type { CursorValue } from './cursor-value.ts'
import type { PollOptions } from './options.ts'

/** A request as it goes out, but for what makes it conditional. */
export interface PageRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly body: string | undefined
}

type Options = Pick<
  PollOptions,
  | 'url'
  | 'method'
  | 'params'
  | 'body'
  | 'paramsIn'
  | 'cursorField'
  | 'cursorParam'
  | 'sinceParam'
  | 'next'
  | 'pageParam'
>

/** The request for a target; a text says why it must not be made. */
export function requestFor(target: Target, options: Options): PageRequest | string {
  const { method, paramsIn, params, pageParam, cursorParam, next } = options
  const { from, isStart, page } = target
  const url = new URL(options.url.href)
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, String(value))
  const isLinked = page !== undefined && next !== undefined && pageParam === undefined
  const linked = isLinked ? page : cursorParam === undefined && isStart !== true && isUrl(from) ? from : undefined
  if (linked !== undefined) {
    const whole = URL.parse(String(linked), url.href)
    if (whole === null) return 'the answer names a next page that is no URL: set pageParam if it is a token'
    // Its headers may hold a credential, which is meant for this server only.
    if (whole.origin !== url.origin || whole.username !== '' || whole.password !== '')
      return 'the answer names a next page on another server, which is not followed'
    return { method, url: whole, body: bodyText(options, []) }
  }
  const given: [string, CursorValue][] = []
  if (from !== undefined) given.push([isStart === true ? startParam(options) : cursorName(options), from])
  if (page !== undefined && next !== undefined && pageParam !== undefined) given.push([pageParam, page])
  if (paramsIn === 'query') for (const [name, value] of given) url.searchParams.set(name, String(value))
  return { method, url, body: bodyText(options, paramsIn === 'body' ? given : []) }
}

function isUrl(value: CursorValue | undefined): boolean {
  return typeof value === 'string' && /^https?:\/\//i.test(value)
}

function cursorName({ cursorParam, cursorField }: Options): string {
  return cursorParam ?? (cursorField === undefined ? 'cursor' : 'since')
}

function startParam(options: Options): string {
  return options.sinceParam ?? (options.cursorField === undefined ? 'since' : cursorName(options))
}

function bodyText({ method, body, paramsIn }: Options, given: readonly [string, CursorValue][]): string | undefined {
  if (method !== 'POST' || (body === undefined && paramsIn === 'query')) return undefined
  let whole: Json = body ?? {}
  for (const [name, value] of given) whole = withMember(whole, name.split('.'), value)
  return JSON.stringify(whole)
}

/** A copy with one member set, at any depth. */
function withMember(object: Json, [name, ...rest]: readonly string[], value: CursorValue): Json {
  const members = typeof object === 'object' && object !== null && !Array.isArray(object) ? object : {}
  const known = Object.entries(members).filter(([key]) => key !== name)
  const before = (members as Readonly<Record<string, Json>>)[name!]
  return Object.fromEntries([...known, [name!, rest.length === 0 ? value : withMember(before ?? {}, rest, value)]])
}
