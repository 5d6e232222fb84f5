import { AppError } from '../core/errors.ts'
import type { Schema } from '../plugin/schema.ts'
import { type Caller, requireScope } from './auth.ts'
import type { Call, Handler, ServerContext } from './context.ts'
import type { Route } from './contract.ts'
import { checkSite } from './guard.ts'
import { type Answer, type HttpRequest, headerOf } from './http.ts'
import { requireJson } from './media-type.ts'
import { echo, problemAnswer } from './problem.ts'
import { decodeUtf8 } from './reading.ts'
import { findRoute } from './router.ts'

const nobody: Caller = { name: 'anonymous', scopes: new Set(), sources: undefined }

/** Answers one request; never throws. The order is: site, route, caller, rate, scope, and only then the body (SEC-36). */
export async function serve(request: HttpRequest, context: ServerContext): Promise<Answer> {
  let answer: Answer
  try {
    answer = await answerOf(request, context)
  } catch (error) {
    answer = problemAnswer(error, context.log)
  }
  context.answered.set(answer.status, (context.answered.get(answer.status) ?? 0) + 1)
  return answer
}

function answerOf(request: HttpRequest, context: ServerContext): Answer | Promise<Answer> {
  checkSite(request, context.guard)
  const found = findRoute(request.method === 'HEAD' ? 'GET' : request.method, request.path)
  if ('allowed' in found) return refuseMethod(request, found.allowed)
  const { route, handle, params } = found
  const caller = callerOf(request, route, context)
  context.rateLimit?.(caller.name === 'anonymous' ? (request.address ?? '') : `token ${caller.name}`)
  if (route.scope !== undefined) requireScope(caller, route.scope)
  const query = readQuery(request.query, route.query)
  const call = { request, context, caller, params, query, body: undefined }
  return route.body === undefined ? handle(call) : withBody(call, route.body, handle)
}

async function withBody(call: Call, shape: Schema, handle: Handler): Promise<Answer> {
  return handle({ ...call, body: await readJson(call.request, shape) })
}

function callerOf(request: HttpRequest, route: Route, { auth }: ServerContext): Caller {
  try {
    return auth.identify(headerOf(request, 'authorization'))
  } catch (error) {
    // What anybody may see is shown in spite of a token that is not known.
    if (route.scope === undefined) return nobody
    throw error
  }
}

function refuseMethod(request: HttpRequest, allowed: readonly string[]): Answer {
  if (allowed.length === 0) throw new AppError('not-found', `there is nothing at ${echo(request.path)}`)
  const methods = [...new Set(allowed.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))), 'OPTIONS']
  const allow = methods.join(', ')
  if (request.method === 'OPTIONS') return { status: 204, headers: { Allow: allow } }
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

async function readJson(request: HttpRequest, shape: Schema): Promise<unknown> {
  requireJson(request)
  const text = decodeUtf8(await request.readBody(maxCommandBytes))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text.
    throw new AppError('body-malformed', 'the body is not valid JSON')
  }
  return check(shape, value, 'the body')
}

function check(shape: Schema, value: unknown, what: string): unknown {
  const result = shape.safeParse(value)
  if (result.success) return result.data
  const issues = result.error.issues.slice(0, 20).map((issue) => ({
    code: 'bad-request',
    message: issue.message.slice(0, 200),
    path: issue.path
      .filter((part) => typeof part !== 'symbol')
      .map((part) => (typeof part === 'string' ? part.slice(0, 100) : part)),
  }))
  const list = issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim()).join('; ')
  throw new AppError('bad-request', `${what} is not understood: ${list.slice(0, 400)}`, { facts: { issues } })
}
