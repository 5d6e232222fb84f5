import type { ErrorCode } from '../core/errors.ts'
import type { EventRecord } from '../core/event.ts'
import type { Issue } from '../core/issues.ts'
import { type IsStreamed, streamOf, streamProblem } from '../core/stream.ts'
import { noSchemas } from '../plugin/event-schemas.ts'
import type { IngestResult } from '../plugin/source.ts'
import type { AppendResult, Commit } from '../plugin/store.ts'
import { RareLog } from './rare-log.ts'
import { SchemaGate, type Screened } from './schema-gate.ts'
import type { EngineSetup } from './setup.ts'

/** What came of events, by outcome. */
export interface IngestCounts {
  stored: number
  duplicate: number
  conflict: number
  refused: number
  quarantined: number
}

export function noCounts(): IngestCounts {
  return { stored: 0, duplicate: 0, conflict: 0, refused: 0, quarantined: 0 }
}

/** What looks at events beside the checks that every event has. */
export interface IngestGuards {
  /** Absent: no type belongs to a stream. */
  readonly isStreamed?: IsStreamed | undefined
  /** Absent: no type has a schema or belongs to a stream. */
  readonly gate?: SchemaGate | undefined
  /** Data larger than this is counted and said; absent: any size is right. */
  readonly warnBytes?: number | undefined
  readonly rareLog: RareLog
}

/** The guards that a setup asks for. */
export function guardsOf({ schemas = noSchemas, isStreamed, warnBytes, log, platform }: EngineSetup): IngestGuards {
  const rareLog = new RareLog(log, platform)
  const asks = schemas.size > 0 || isStreamed !== undefined
  const gate = asks ? new SchemaGate(schemas, platform, rareLog, isStreamed) : undefined
  return { isStreamed, warnBytes, rareLog, gate }
}

/** Events as a commit takes them, each with the stream it belongs to. */
export function commitOf(
  events: readonly EventRecord[],
  isStreamed: IsStreamed | undefined,
): Pick<Commit, 'events' | 'streams'> {
  if (isStreamed === undefined) return { events }
  return { events, streams: events.map((record) => streamOf(record, isStreamed)) }
}

/** What the store answered, for each record. */
export function resultsOf(records: readonly EventRecord[], appended: readonly AppendResult[]): IngestResult[] {
  return records.map(({ source, id }, i) => ({
    source,
    id,
    status: appended[i]!.status,
    sequence: appended[i]!.sequence,
  }))
}

/** Why a record was not stored as it came. */
export function mismatch(screened: Exclude<Screened, { kind: 'pass' }>): { code: ErrorCode; message: string } {
  const isFormal = screened.kind === 'refused' && screened.isFormal === true
  return { code: isFormal ? 'event-invalid' : 'schema-mismatch', message: screened.problem }
}

/** What is wrong with the source of an event from outside. */
export function sourceIssue({ source }: EventRecord): Issue | undefined {
  if (!source.startsWith('millrace:')) return undefined
  const message = 'source begins with millrace:, which is the name of the engine’s own events; use another'
  return { code: 'source-forbidden', message, path: ['source'] }
}

/** What keeps an event from its stream. */
export function streamIssue(record: EventRecord, isStreamed: IsStreamed | undefined): Issue | undefined {
  const problem = isStreamed && streamProblem(record, isStreamed)
  return problem === undefined ? undefined : { code: 'event-invalid', message: problem, path: ['subject'] }
}
