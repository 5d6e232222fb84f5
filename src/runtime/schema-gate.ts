import { messageOf } from '../core/errors.ts'
import type { EventRecord } from '../core/event.ts'
import type { Platform } from '../core/platform.ts'
import { versionOf, withVersion } from '../core/schema-version.ts'
import { type IsStreamed, streamProblem } from '../core/stream.ts'
import type { EventSchemas, SchemaMode, SchemaVersion, TypeSchemas } from '../plugin/event-schemas.ts'
import type { DataProblem } from '../plugin/json-schema.ts'
import { quarantinedRecord } from './quarantined.ts'
import type { RareLog } from './rare-log.ts'
import { upcastData } from './upcasting.ts'

/** What becomes of a record that its type's schema was asked about; `record` is what to store. */
export type Screened =
  | { readonly kind: 'pass'; readonly record: EventRecord }
  | { readonly kind: 'quarantined'; readonly record: EventRecord; readonly problem: string }
  | {
      readonly kind: 'refused'
      readonly problem: string
      /** It is not the data: the event is not what its type must be. */
      readonly isFormal?: boolean | undefined
    }

/** The same of events that a stage derived. */
export type DerivedScreened =
  | { readonly kind: 'pass'; readonly records: readonly EventRecord[] }
  | { readonly kind: 'refused'; readonly problem: string }

/** Events checked before other work gets a turn. */
const checkedPerTurn = 50
/** Problems of one event that are told. */
const mostProblems = 5

/**
 * Asks what is known of event types about what comes in: those of a stream need its name, and data is checked by the schema
 * of its type and marked with the version it fits.
 */
export class SchemaGate {
  readonly #schemas: EventSchemas
  readonly #platform: Platform
  readonly #log: RareLog
  readonly #isStreamed: IsStreamed
  /** Events stored although they do not fit. */
  warned = 0

  constructor(schemas: EventSchemas, platform: Platform, log: RareLog, isStreamed: IsStreamed = () => false) {
    this.#isStreamed = isStreamed
    this.#schemas = schemas
    this.#platform = platform
    this.#log = log
  }

  /** All of them, in order. With `isStrict` what would be quarantined is refused. */
  async screenAll(records: readonly EventRecord[], isStrict = false): Promise<readonly Screened[]> {
    const screened: Screened[] = []
    for (const record of records) {
      if (screened.length > 0 && screened.length % checkedPerTurn === 0) await this.#turn()
      const result = this.#screen(record, isStrict)
      screened.push(result instanceof Promise ? await result : result)
    }
    return screened
  }

  /** Events that a stage derived, which are stored with its step: all of them fit, or the step is refused. */
  screenDerived(records: readonly EventRecord[]): DerivedScreened {
    const marked: EventRecord[] = []
    for (const record of records) {
      const screened = this.#screen(record, true)
      if (screened instanceof Promise)
        return {
          kind: 'refused',
          problem: `the schema of ${record.type} answers later, which a stage's step cannot wait for`,
        }
      if (screened.kind !== 'pass') return { kind: 'refused', problem: screened.problem }
      marked.push(screened.record)
    }
    return { kind: 'pass', records: marked }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#platform.soon(resolve))
  }

  #screen(record: EventRecord, isStrict: boolean): Screened | Promise<Screened> {
    const problem = streamProblem(record, this.#isStreamed)
    if (problem !== undefined) return { kind: 'refused', problem, isFormal: true }
    const known = this.#schemas.get(record.type)
    if (known === undefined) return { kind: 'pass', record }
    const version = versionOf(record) ?? known.newest
    const marked = withVersion(record, version)
    const { mode, problems } = askOf(marked, version, known)
    if (!(problems instanceof Promise)) return this.#judge(marked, version, { mode, problems, isStrict })
    const judge = (found: readonly DataProblem[]): Screened =>
      this.#judge(marked, version, { mode, problems: found, isStrict })
    return problems.then(judge, (error: unknown) => judge([failed(error)]))
  }

  #judge(
    record: EventRecord,
    version: number,
    { mode, problems, isStrict }: { mode: SchemaMode; problems: readonly DataProblem[]; isStrict: boolean },
  ): Screened {
    if (problems.length === 0) return { kind: 'pass', record }
    const { type } = record
    const problem = `the data does not fit version ${version} of ${type}: ${textOf(problems)}`
    if (mode === 'warn') {
      this.warned += 1
      this.#log.warn(`schema ${type}`, `events of type ${type} do not fit their schema and are stored all the same`, {
        type,
        version,
        source: record.source,
        stored: this.warned,
      })
      return { kind: 'pass', record }
    }
    if (mode === 'reject' || isStrict) return { kind: 'refused', problem }
    return { kind: 'quarantined', record: quarantinedRecord(record, version, problems, this.#platform), problem }
  }
}

interface Question {
  readonly mode: SchemaMode
  readonly problems: readonly DataProblem[] | Promise<readonly DataProblem[]>
}

/** What the schema of its version says, or that of the newest after bringing it there. */
function askOf(record: EventRecord, version: number, known: TypeSchemas): Question {
  const { versions, upcasts, newest } = known
  const own = versions.get(version)
  const last = versions.get(newest)
  const mode = own?.mode ?? last?.mode ?? 'reject'
  if (record.data instanceof Uint8Array)
    return { mode, problems: [{ path: '', message: 'must be JSON, because its type has a schema' }] }
  try {
    const data: unknown = record.data === undefined ? undefined : JSON.parse(record.data)
    if (own !== undefined) return { mode, problems: ask(own, data) }
    if (!upcasts.has(version) && version !== newest) {
      const list = [...new Set([...versions.keys(), ...upcasts.keys(), newest])].sort((a, b) => a - b).join(', ')
      return { mode, problems: [{ path: '', message: `is of a version that is not known here (known: ${list})` }] }
    }
    const upcast = upcastData(data, upcasts, version, newest)
    return { mode, problems: last === undefined ? [] : ask(last, upcast) }
  } catch (error) {
    return { mode, problems: [failed(error)] }
  }
}

function ask(schema: SchemaVersion, data: unknown): Question['problems'] {
  return data === undefined && schema.json !== undefined ? [{ path: '', message: 'is missing' }] : schema.check(data)
}

function failed(error: unknown): DataProblem {
  return { path: '', message: `could not be checked: ${messageOf(error)}` }
}

function textOf(problems: readonly DataProblem[]): string {
  const told = problems.slice(0, mostProblems).map(({ path, message }) => `${path === '' ? 'it' : path} ${message}`)
  return problems.length > mostProblems ? `${told.join('; ')}; and more` : told.join('; ')
}
