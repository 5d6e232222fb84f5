import { eventToJson } from '../../core/cloud-event.ts'
import { AppError } from '../../core/errors.ts'
import type { EventRecord } from '../../core/event.ts'
import type { CheckedEvent } from '../../core/event-check.ts'
import type { SchemaOutput } from '../../plugin/schema.ts'
import type { ExpectedVersion } from '../../runtime/streams/face.ts'
import { refusalOf, storingError } from '../admit.ts'
import type { Call } from '../context.ts'
import { decompressed } from '../gunzip.ts'
import { type Answer, type HttpRequest, headerOf, json } from '../http.ts'
import { bodyMode } from '../media-type.ts'
import { viewOf } from '../shown.ts'
import type { streamPageQuery } from '../stream-shapes.ts'
import { takeEvents } from '../take-events.ts'

/** A page ends here, however many events it may have. */
const pageUnits = 1024 * 1024

/** `GET /v1/streams/{stream}` */
export async function readStream(call: Call): Promise<Answer> {
  const { context, params, query } = call
  const { pipeline } = context
  const shown = viewOf(call)
  const stream = nameOf(params)
  const { after, until, limit } = query as SchemaOutput<typeof streamPageQuery>
  const point = until === undefined ? undefined : typeof until === 'number' ? { version: until } : { time: until }
  // First, and the events up to it: with a later one a client would append against a version it has not read.
  const version = await pipeline.streamVersion(stream, point)
  const texts: string[] = []
  let units = 0
  let last = after
  const wanted = Math.min(limit, Math.max(0, version - after))
  for await (const each of pipeline.readStream(stream, { after, limit: wanted })) {
    const text = `{"version":${each.version},"event":${eventToJson(shown(each.event))}}`
    texts.push(text)
    last = each.version
    units += text.length
    if (units > pageUnits) break
  }
  const next = last < version ? `,"next":${last}` : ''
  const body = `{"events":[${texts.join(',')}],"version":${version}${next}}`
  return { status: 200, type: 'application/json', headers: etag(version), body }
}

/** `POST /v1/streams/{stream}`: answers after the commit. */
export async function appendToStream(call: Call): Promise<Answer> {
  const { context } = call
  const request = decompressed(call.request, context.limits.gzip === true)
  const expect = expectedVersion(request)
  const mode = bodyMode(request)
  if (context.draining.aborted) throw new AppError('stopping', 'the server is stopping: try again when it is back')
  if (mode === 'stream')
    throw new AppError(
      'content-type-unsupported',
      'an append to a stream is one commit, and lines come one after another: send a JSON array',
    )
  return takeEvents({ request, context }, mode, async (events) => {
    const records = events.map((checked, at) => admitted(checked, at, call))
    const { version, results } = await context.pipeline
      .appendRecords(nameOf(call.params), records, { expect })
      .catch((error: unknown) => {
        throw storingError(error, context.log)
      })
    const isNew = results.some(({ status }) => status === 'stored')
    const shown = results.map(({ id, source, status, sequence }) => ({ id, source, status, sequence }))
    const { durability } = context.pipeline.store
    return json({ version, results: shown, durability }, isNew ? 201 : 200, etag(version))
  })
}

/** The event as it may come in by this door; throws when it may not. */
function admitted(checked: CheckedEvent, at: number, { caller, context }: Call): EventRecord {
  const refusal = refusalOf(checked, caller, context.pipeline.reservedSources)
  if (refusal === undefined) return (checked as Extract<CheckedEvent, { ok: true }>).record
  const { code, message, issues } = refusal
  throw new AppError(code, `event ${at} is refused, and nothing was appended: ${message}`, {
    facts: issues.length === 0 ? {} : { issues },
  })
}

/** What the request says of the version that the stream is at. */
function expectedVersion(request: HttpRequest): ExpectedVersion {
  const ifMatch = headerOf(request, 'if-match')?.trim()
  const ifNoneMatch = headerOf(request, 'if-none-match')?.trim()
  if (ifMatch !== undefined && ifNoneMatch !== undefined)
    throw new AppError('bad-request', 'If-Match and If-None-Match exclude each other: send one of them')
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch === '*') return 0
    throw new AppError('bad-request', 'If-None-Match of an append is *: the stream must not exist')
  }
  if (ifMatch === undefined) return 'any'
  const version = /^"?(\d{1,15})"?$/.exec(ifMatch)?.[1]
  if (version === undefined)
    throw new AppError('bad-request', 'If-Match of an append is a version of the stream, such as "3"')
  return Number(version)
}

function etag(version: number): Readonly<Record<string, string>> {
  return { ETag: `"${version}"` }
}

function nameOf(params: readonly string[]): string {
  return params[0] as string
}
