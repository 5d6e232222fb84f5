/** Every error code, with the HTTP status it maps to and one sentence for its page. */
export const errorCodes = {
  'config-invalid': { status: 500, title: 'The configuration has problems' },
  'event-invalid': { status: 400, title: 'The event is not valid' },
  'body-malformed': { status: 400, title: 'The request body cannot be read' },
  'body-too-large': { status: 413, title: 'The request body is too large' },
  'content-type-unsupported': { status: 415, title: 'The content type is not supported' },
  'event-conflict': { status: 409, title: 'Another event with this source and id is stored' },
  'schema-mismatch': { status: 422, title: 'The event does not fit the schema of its type' },
  'events-all-invalid': { status: 422, title: 'No event of the batch is valid' },
  'source-forbidden': { status: 403, title: 'This source may not be published from outside' },
  'type-reserved': { status: 403, title: 'Types beginning with millrace. belong to the engine' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'headers-too-large': { status: 431, title: 'The request has too many or too large headers' },
  overloaded: { status: 503, title: 'Too much is waiting to be stored' },
  stopping: { status: 503, title: 'The pipeline is stopping' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'This method is not allowed here' },
  'bad-request': { status: 400, title: 'The request is not understood' },
  unauthorized: { status: 401, title: 'A token is needed' },
  forbidden: { status: 403, title: 'This is not allowed' },
  'host-unknown': { status: 421, title: 'This server does not answer for that host' },
  'subscription-unknown': { status: 404, title: 'There is no such subscription' },
  'state-conflict': { status: 409, title: 'That cannot be done in the present state' },
  'subscription-invalid': { status: 422, title: 'The subscription is not valid' },
  'precondition-failed': { status: 412, title: 'It is not at the version that was asked for' },
  'version-conflict': { status: 412, title: 'The stream is not at the expected version' },
  'events-removed': { status: 410, title: 'Events of the stream are no longer kept' },
  'secret-key-missing': { status: 503, title: 'The key that opens stored secrets is not there' },
  'batch-unknown': { status: 404, title: 'There is no such batch' },
  'receipt-stale': { status: 409, title: 'The receipt does nothing any more' },
  'store-locked': { status: 503, title: 'Another process has this store open' },
  'store-full': { status: 503, title: 'The disk is full' },
  'store-readonly': { status: 503, title: 'The store cannot be written' },
  'store-corrupt': { status: 503, title: 'The store is damaged' },
  'store-newer': { status: 503, title: 'The store was written by a newer version' },
  'store-foreign': { status: 503, title: 'The file is not a Millrace store' },
  'store-indeterminate': { status: 503, title: 'It is not known whether the write is there' },
  'store-closed': { status: 503, title: 'The store is closed' },
  'store-unopenable': { status: 503, title: 'The store cannot be opened' },
  'plugin-failed': { status: 500, title: 'A plug-in failed' },
  'address-unavailable': { status: 503, title: 'The server cannot listen at its address' },
  'server-unreachable': { status: 503, title: 'The server does not answer' },
  usage: { status: 400, title: 'The command is not understood' },
  internal: { status: 500, title: 'Something unexpected happened' },
} as const
export type ErrorCode = keyof typeof errorCodes

/**
 * The one error class. The message says what was being done, to what, why it failed and what to do;
 * never a secret, never event data. Branch on `code`, which is stable.
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  /** Extra facts for machines (an HTTP problem's members). */
  readonly facts: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; facts?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.facts = options.facts ?? {}
  }
}

/** The message of anything thrown, in one line. */
export function messageOf(error: unknown): string {
  let text: string
  try {
    text = String(error instanceof Error ? error.message : error)
  } catch {
    text = 'something that has no text'
  }
  const line = text
    .slice(0, 2 * mostCharacters)
    .replaceAll(/\s+/g, ' ')
    .trim()
  return line.length > mostCharacters ? `${line.slice(0, mostCharacters)}…` : line
}

/** Whoever puts a whole document into an error: of each attempt it would be stored again. */
const mostCharacters = 4000

/** For the end of a `switch` over a union: unreachable while every case is handled. */
export function assertNever(value: never): never {
  throw new AppError('internal', `unhandled case ${JSON.stringify(value)}`)
}
