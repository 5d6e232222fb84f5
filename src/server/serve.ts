import { AppError } from '../core/errors.ts'
import { formatIssue } from '../core/issues.ts'
import { notJson } from '../core/json-fault.ts'
import { check as describe } from '../plugin/check.ts'
import type { Schema } from '../plugin/schema.ts'
import { type Caller, isAnonymous, nobody, requireScope } from './auth.ts'
import type { Call, Handler, ServerContext } from './context.ts'
import type { Route } from './contract.ts'
import { preflightHeaders, shareAnswer } from './cors.ts'
import { checkSite, type GuardOptions, isFromHere } from './guard.ts'
import { type Answer, type HttpRequest, headerOf } from './http.ts'
import { requireJson } from './media-type.ts'
import { echo, problemAnswer } from './problem.ts'
import { decodeUtf8 } from './reading.ts'
import { findRoute } from './router.ts'

/** Answers one request; never throws. The order is: site, route, caller, rate, scope, and only then the body (SEC-36). */
export async function serve(request: HttpRequest, context: ServerContext): Promise<Answer> {
  let answer: Answer
  try {
    answer = await answerOf(request, context)
  } catch (error) {
    answer = problemAnswer(error, context.log)
  }
  context.answered.set(answer.status, (context.answered.get(answer.status) ?? 0) + 1)
  return shareAnswer(request, answer, context.guard)
}

function answerOf(request: HttpRequest, context: ServerContext): Answer | Promise<Answer> {
  checkSite(request, context.guard)
  const found = findRoute(request.method === 'HEAD' ? 'GET' : request.method, request.path)
  if ('allowed' in found) return refuseMethod(request, found.allowed, context.guard)
  const { route, handle, params } = found
  const caller = callerOf(request, route, context)
  if (context.isLimited || caller.rate !== undefined) countRequest(caller, request, context)
  if (route.scope !== undefined) requireScope(caller, route.scope)
  const text = route.acceptsTicket === true ? withoutTicket(request.query) : request.query
  const query = readQuery(text, route.query)
  const call = { request, context, caller, params, query, body: undefined }
  return route.body === undefined ? handle(call) : withBody(call, route, route.body, handle)
}

async function withBody(call: Call, route: Route, shape: Schema, handle: Handler): Promise<Answer> {
  return handle({ ...call, body: await readJson(call.request, shape, route.isBodyOptional === true) })
}

function callerOf(request: HttpRequest, route: Route, context: ServerContext): Caller {
  const { auth } = context
  const authorization = headerOf(request, 'authorization')
  if (authorization === undefined) {
    const ticket = route.acceptsTicket === true ? new URLSearchParams(request.query).get('ticket') : null
    if (ticket !== null) return redeemed(ticket, context)
    return auth.anonymous(auth.isOpen || isFromHere(request, context))
  }
  try {
    return auth.identify(authorization)
  } catch (error) {
    // What anybody may see is shown in spite of a token that is not known.
    if (route.scope === undefined) return nobody
    if (context.isLimited) countRequest(nobody, request, context)
    throw error
  }
}

function redeemed(ticket: string, { auth, tickets }: ServerContext): Caller {
  const caller = tickets.redeem(ticket)
  if (!auth.isCurrent(caller)) throw new AppError('unauthorized', 'the token that the ticket was made with is gone')
  return caller
}

function countRequest(caller: Caller, request: HttpRequest, { rateLimit, addresses }: ServerContext): void {
  rateLimit(isAnonymous(caller) ? addresses.of(request) : `token ${caller.name}`, caller.rate)
}

function withoutTicket(query: string): string {
  const given = new URLSearchParams(query)
  given.delete('ticket')
  return given.toString()
}

function refuseMethod(request: HttpRequest, allowed: readonly string[], guard: GuardOptions): Answer {
  if (allowed.length === 0) throw new AppError('not-found', `there is nothing at ${echo(request.path)}`)
  const methods = [...new Set(allowed.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))), 'OPTIONS']
  const allow = methods.join(', ')
  if (request.method === 'OPTIONS')
    return { status: 204, headers: { Allow: allow, ...preflightHeaders(request, allow, guard) } }
  const message = `${echo(request.method)} is not possible here: use ${allow}`
  throw new AppError('method-not-allowed', message, { facts: { allow } })
}

const noQuery: Readonly<Record<string, never>> = Object.freeze({})

function readQuery(text: string, shape: Schema | undefined): unknown {
  if (shape === undefined) return noQuery
  const given = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const known = given.get(name)
    given.set(name, known === undefined ? value : [...(typeof known === 'string' ? [known] : known), value])
  }
  return check(shape, Object.fromEntries(given), 'the query')
}

/** Bodies of commands are small; those of events have a limit of their own. */
const maxCommandBytes = 256 * 1_024

async function readJson(request: HttpRequest, shape: Schema, isOptional: boolean): Promise<unknown> {
  // curl without -d sends neither a body nor its type.
  if (!isOptional || headerOf(request, 'content-type') !== undefined) requireJson(request)
  const bytes = await request.readBody(maxCommandBytes)
  if (isOptional && bytes.length === 0) return check(shape, {}, 'the body')
  requireJson(request)
  const text = decodeUtf8(bytes)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text.
    throw new AppError('body-malformed', `the body ${notJson(text)}`)
  }
  return check(shape, value, 'the body')
}

function check(shape: Schema, value: unknown, what: 'the query' | 'the body'): unknown {
  const result = shape.safeParse(value)
  if (result.success) return result.data
  const checked = describe(shape, value)
  const issues = (checked.ok ? [] : checked.issues).slice(0, 20).map(({ path, message, suggestion, available }) => ({
    code: 'bad-request' as const,
    // The words are those of configurations.
    message: message.slice(0, 200).replace('setting', what === 'the query' ? 'parameter' : 'member'),
    path: path.map((part) => (typeof part === 'string' ? part.slice(0, 100) : part)),
    ...(suggestion !== undefined && { suggestion }),
    ...(available !== undefined && { available }),
  }))
  const list = issues.map(formatIssue).join('; ')
  throw new AppError('bad-request', `${what} is not understood: ${list.slice(0, 400)}`, { facts: { issues } })
}
