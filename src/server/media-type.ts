import { AppError } from '../core/errors.ts'
import { type HttpRequest, headerOf } from './http.ts'
import { echo } from './problem.ts'

/** How the events lie in a body: told by the content type, and by whether there are `ce-*` headers. */
export type BodyMode = 'single' | 'batch' | 'json' | 'binary' | 'stream'

const modes = new Map<string, BodyMode>([
  ['application/cloudevents+json', 'single'],
  ['application/cloudevents-batch+json', 'batch'],
  ['application/json', 'json'],
  ['application/x-ndjson', 'stream'],
  ['application/ndjson', 'stream'],
])

/** Decides how to read a body; throws `content-type-unsupported` when it cannot be. */
export function bodyMode(request: HttpRequest): BodyMode {
  requirePlainEncoding(request)
  const given = headerOf(request, 'content-type')
  const isBinary = headerOf(request, 'ce-specversion') !== undefined || headerOf(request, 'ce-id') !== undefined
  if (given === undefined) {
    if (isBinary) return 'binary'
    throw unsupported('the request has no Content-Type')
  }
  // The usual case first: it needs no parsing.
  const mode = modes.get(given) ?? modes.get(mediaType(given))
  if (mode === 'json') return isBinary ? 'binary' : 'json'
  if (mode !== undefined) return mode
  if (isBinary && !/^application\/cloudevents/i.test(given)) return 'binary'
  throw unsupported(`the Content-Type ${echo(given)} is not one that holds events`)
}

/** Throws unless the body says that it is JSON. */
export function requireJson(request: HttpRequest): void {
  requirePlainEncoding(request)
  const given = headerOf(request, 'content-type')
  if (given === undefined || mediaType(given) !== 'application/json') {
    throw new AppError('content-type-unsupported', 'the body must be JSON: send "Content-Type: application/json"')
  }
}

/** The type in lower case, without parameters; a charset other than UTF-8 is refused. */
function mediaType(given: string): string {
  const [type = '', ...parameters] = given.split(';')
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=')
    if (name.trim().toLowerCase() === 'charset' && !/^"?utf-?8"?$/i.test(value.trim())) {
      throw unsupported('only UTF-8 is read')
    }
  }
  return type.trim().toLowerCase()
}

/** Nothing is decompressed here, so that a small body cannot become a large one (SEC-28). */
export function requirePlainEncoding(request: HttpRequest): void {
  const encoding = headerOf(request, 'content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new AppError(
      'content-type-unsupported',
      `the Content-Encoding ${echo(encoding)} is not read: send the body as it is`,
    )
  }
}

function unsupported(why: string): AppError {
  const known =
    'application/json, application/cloudevents+json, application/cloudevents-batch+json or application/x-ndjson'
  return new AppError('content-type-unsupported', `${why}: send ${known}, or ce-* headers`)
}
