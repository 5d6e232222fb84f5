import type { EventRecord } from '../core/event.ts'
import type { IngestResult } from '../plugin/source.ts'
import type { AppendResult } from '../plugin/store.ts'
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
  /** Absent: no type has a schema. */
  readonly gate?: SchemaGate | undefined
  /** Data larger than this is counted and said; absent: any size is right. */
  readonly warnBytes?: number | undefined
  readonly rareLog: RareLog
}

/** The guards that a setup asks for. */
export function guardsOf({ schemas, warnBytes, log, platform }: EngineSetup): IngestGuards {
  const rareLog = new RareLog(log, platform)
  const hasSchemas = schemas !== undefined && schemas.size > 0
  return { warnBytes, rareLog, gate: hasSchemas ? new SchemaGate(schemas, platform, rareLog) : undefined }
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
export function mismatch({ problem }: Exclude<Screened, { kind: 'pass' }>): { code: string; message: string } {
  return { code: 'schema-mismatch', message: problem }
}
