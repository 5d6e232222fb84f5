import { AppError, type ErrorCode } from '../core/errors.ts'
import type { EventRecord } from '../core/event.ts'
import type { CheckedEvent } from '../core/event-check.ts'
import { formatIssue, type Issue } from '../core/issues.ts'
import type { Log } from '../core/platform.ts'
import type { IngestResult } from '../plugin/source.ts'
import type { Caller } from './auth.ts'
import type { ServerContext } from './context.ts'
import { echo } from './problem.ts'

/** An event that is not handed to the store, and why. */
export interface Refusal {
  readonly id: string | undefined
  readonly source: string | undefined
  readonly code: ErrorCode
  readonly message: string
  readonly issues: readonly Issue[]
}

/** What came of one event, for the answer. */
export interface EventResult {
  readonly id: string | undefined
  readonly source: string | undefined
  /** `stored`, `duplicate`, `conflict`, `quarantined` or `refused`. */
  readonly status: string
  readonly sequence?: number | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

/** Decides whether a readable event may come in by this door; undefined when it may. */
export function refusalOf(checked: CheckedEvent, caller: Caller, reserved: ReadonlySet<string>): Refusal | undefined {
  if (!checked.ok) {
    const { issues, id, source } = checked
    return { id, source, code: codeOf(issues), message: issues.slice(0, 5).map(formatIssue).join('; '), issues }
  }
  const { id, source } = checked.record
  // `millrace:/…` is the source of derived events: from outside it would be a forgery.
  const isReserved = reserved.has(source) || source.startsWith('millrace:')
  if (!isReserved && (caller.sources === undefined || caller.sources.has(source))) return undefined
  const why = isReserved ? 'belongs to the pipeline itself' : `is not one that the token ${caller.name} may publish`
  return { id, source, code: 'source-forbidden', message: `the source ${echo(source)} ${why}`, issues: [] }
}

/** The one code that all issues have, or the general one. */
function codeOf(issues: readonly Issue[]): ErrorCode {
  const [first] = issues
  return first !== undefined && issues.every(({ code }) => code === first.code) ? first.code : 'event-invalid'
}

/** Hands in the only event of a request and answers with what `answerOf` makes of its result; throws the refusal. */
export function ingestOne<T>(
  checked: CheckedEvent,
  caller: Caller,
  context: ServerContext,
  answerOf: (result: IngestResult) => T,
): Promise<T> {
  const { pipeline, log } = context
  const refusal = refusalOf(checked, caller, pipeline.reservedSources)
  if (refusal !== undefined) {
    const { code, message, issues } = refusal
    pipeline.countRefused(1)
    throw new AppError(code, message, { facts: issues.length === 0 ? {} : { issues } })
  }
  return pipeline.ingest([(checked as Extract<CheckedEvent, { ok: true }>).record]).then(
    ([result]) => answerOf(result as IngestResult),
    (error: unknown) => {
      throw storingError(error, log)
    },
  )
}

/** Hands in many, those refused left out, as one commit; the results are in the order given. */
export async function ingestMany(
  events: readonly CheckedEvent[],
  caller: Caller,
  context: ServerContext,
): Promise<readonly EventResult[]> {
  const { pipeline } = context
  const records: EventRecord[] = []
  const refusals = events.map((checked) => {
    const refusal = refusalOf(checked, caller, pipeline.reservedSources)
    if (refusal === undefined && checked.ok) records.push(checked.record)
    return refusal
  })
  pipeline.countRefused(events.length - records.length)
  const stored = records.length === 0 ? [] : await ingestRecords(records, context)
  if (records.length === events.length) return stored
  let next = 0
  return refusals.map((refusal) => {
    if (refusal === undefined) return stored[next++] as IngestResult
    const { id, source, code, message } = refusal
    return { id, source, status: 'refused', error: { code, message } }
  })
}

async function ingestRecords(
  records: readonly EventRecord[],
  { pipeline, log }: ServerContext,
): Promise<readonly IngestResult[]> {
  try {
    return await pipeline.ingest(records)
  } catch (error) {
    throw storingError(error, log)
  }
}

/** What the store throws without a code of ours leaves open whether the events are there: never a 4xx or a bare 500 (G3). */
export function storingError(error: unknown, log: Log): AppError {
  if (error instanceof AppError) return error
  log.error('storing events failed unexpectedly', { error })
  const message = 'storing failed, and it is not known whether the events are there: send them again, which is harmless'
  return new AppError('store-indeterminate', message, { cause: error })
}

/** One result as JSON text; `more` is put at its end. */
export function resultText(result: EventResult, more = ''): string {
  let text = '{'
  if (result.id !== undefined) text += `"id":${JSON.stringify(result.id)},`
  if (result.source !== undefined) text += `"source":${JSON.stringify(result.source)},`
  text += `"status":"${result.status}"`
  if (result.sequence !== undefined) text += `,"sequence":${result.sequence}`
  if (result.error !== undefined) text += `,"error":${JSON.stringify(result.error)}`
  return `${text}${more}}`
}
