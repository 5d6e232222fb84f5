import { AppError, type ErrorCode, errorCodes } from '../core/errors.ts'
import type { Issue } from '../core/issues.ts'
import type { Log } from '../core/platform.ts'
import type { Answer } from './http.ts'

/** Input that an answer or a log line repeats is cut to this many characters (SEC-37). */
const maxEcho = 100

/** Where the page of an error code is: a path of this server, so that it resolves without the internet. */
export function problemType(code: ErrorCode): string {
  return `/errors/${code}`
}

/** Something a caller wrote, safe to repeat in an answer: short and without control characters. */
export function echo(text: string): string {
  const cut = text.length > maxEcho ? `${text.slice(0, maxEcho - 1)}…` : text
  return JSON.stringify(cut.toWellFormed())
}

/** Errors after which the same request may succeed, with the seconds to wait. */
const retryAfterSeconds: Partial<Record<ErrorCode, number>> = {
  overloaded: 1,
  'rate-limited': 1,
  stopping: 5,
  'store-locked': 5,
  'store-full': 30,
  'store-readonly': 30,
  'store-corrupt': 60,
  'store-newer': 60,
  'store-foreign': 60,
  'store-indeterminate': 1,
  'store-closed': 5,
  'store-unopenable': 30,
}

/** The RFC 9457 answer for anything thrown. What is not an `AppError` is a fault of ours: logged, and not shown. */
export function problemAnswer(error: unknown, log: Log, more?: Readonly<Record<string, unknown>>): Answer {
  if (!(error instanceof AppError)) {
    log.error('answering a request failed unexpectedly', { error })
    return problem('internal', 'something unexpected happened while answering; the log of the server says more', more)
  }
  const { code } = error
  if (errorCodes[code].status === 500) {
    log.error('answering a request failed', { code, error })
  }
  const isShown = errorCodes[code].status < 500 || Object.hasOwn(retryAfterSeconds, code)
  const detail = isShown ? error.message : errorCodes[code].title
  const outcome = code === 'store-indeterminate' ? { outcome: 'indeterminate' } : undefined
  return problem(code, detail, { ...publicFacts(error.facts), ...outcome, ...more }, retryAfter(error))
}

/** The answer for one code. `more` are extra members; they never replace the standard ones but `status`. */
export function problem(
  code: ErrorCode,
  detail: string,
  more?: Readonly<Record<string, unknown>>,
  retrySeconds: number | undefined = retryAfterSeconds[code],
): Answer {
  const { status, title } = errorCodes[code]
  const body = { ...more, type: problemType(code), title, status: more?.['status'] ?? status, code, detail }
  const headers = new Map<string, string>()
  if (retrySeconds !== undefined) headers.set('Retry-After', String(retrySeconds))
  if (status === 401) headers.set('WWW-Authenticate', 'Bearer realm="millrace"')
  const allow = more?.['allow']
  if (status === 405 && typeof allow === 'string') headers.set('Allow', allow)
  return {
    status,
    type: 'application/problem+json',
    body: JSON.stringify(body),
    ...(headers.size > 0 && { headers: Object.fromEntries(headers) }),
  }
}

function retryAfter(error: AppError): number | undefined {
  const seconds = error.facts['retryAfterSeconds']
  return typeof seconds === 'number' ? Math.max(1, Math.ceil(seconds)) : retryAfterSeconds[error.code]
}

function publicFacts(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { issues, retryAfterSeconds: _, ...rest } = facts
  return Array.isArray(issues) ? { ...rest, errors: issues.slice(0, 20).map(publicIssue) } : rest
}

function publicIssue({ code, message, path, suggestion, available }: Partial<Issue>): unknown {
  const pointer = path?.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  return {
    code,
    detail: message,
    ...(pointer !== undefined && { pointer }),
    ...(suggestion !== undefined && { suggestion }),
    ...(available !== undefined && { available }),
  }
}
