import type { GuardOptions } from './guard.ts'
import { type Answer, type HttpRequest, headerOf } from './http.ts'

/** Headers that a page may send beside those that every page may; and all that begin with `ce-`. */
const sendable = new Set([
  'authorization',
  'content-encoding',
  'content-type',
  'if-match',
  'if-none-match',
  'last-event-id',
])
/** What a page may read of an answer beside its body. */
const readable = 'ETag, Retry-After'
/** How long a browser need not ask again. */
const preflightSeconds = 600

/** The answer with what lets the page of a configured origin read it; to everybody else it says nothing of the kind (SEC-48). */
export function shareAnswer(request: HttpRequest, answer: Answer, guard: GuardOptions): Answer {
  const origin = allowedOrigin(request, guard)
  if (origin === undefined) return answer
  const headers = {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': readable,
    Vary: 'Origin',
  }
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

/** What a browser asks before it lets a page of a configured origin send more than a form could; undefined: it asks nothing. */
export function preflightHeaders(
  request: HttpRequest,
  methods: string,
  guard: GuardOptions,
): Readonly<Record<string, string>> | undefined {
  const method = headerOf(request, 'access-control-request-method')
  if (method === undefined || allowedOrigin(request, guard) === undefined) return undefined
  const wanted = (headerOf(request, 'access-control-request-headers') ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => sendable.has(name) || /^ce-[a-z0-9]{1,20}$/.test(name))
  return {
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': wanted.join(', '),
    'Access-Control-Max-Age': String(preflightSeconds),
  }
}

/** Undefined also for a host that is not known: such a request is refused whoever asks. */
function allowedOrigin(request: HttpRequest, { origins, hosts }: GuardOptions): string | undefined {
  if (origins.size === 0) return undefined
  const origin = headerOf(request, 'origin')
  if (origin === undefined || !origins.has(origin)) return undefined
  return hosts === undefined || hosts.has(headerOf(request, 'host') ?? '') ? origin : undefined
}
