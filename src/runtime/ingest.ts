import { AppError, type ErrorCode } from '../core/errors.ts'
import type { EventInput, EventRecord } from '../core/event.ts'
import { type CheckedEvent, checkEvent, type EventLimits } from '../core/event-check.ts'
import type { Issue } from '../core/issues.ts'
import type { Platform } from '../core/platform.ts'
import type { IngestResult } from '../plugin/source.ts'
import type { AppendResult, Commit, CommitResult, Store } from '../plugin/store.ts'
import type { PublishResult } from './api.ts'
import { commitOf, type IngestGuards, mismatch, noCounts, resultsOf, sourceIssue, streamIssue } from './ingest-parts.ts'
import { type IngestDispatch, otherWork } from './other-work.ts'
import type { SchemaGate } from './schema-gate.ts'

/** Events handed to the store and not yet answered, at most: beyond it a publisher is told to slow down. */
const waitingEvents = 200_000
/** Events checked before other work gets a turn: less than a millisecond. */
const checkedPerTurn = 250

/**
 * The way into the log: checks, one atomic commit of what is valid, and a signal to dispatch after it. The signal carries
 * nothing; dispatch reads the log.
 */
export class Ingest {
  readonly #store: Store
  readonly #limits: EventLimits
  readonly #dispatch: IngestDispatch
  readonly #platform: Platform
  #waiting = 0
  readonly #guards: IngestGuards | undefined
  readonly #gate: SchemaGate | undefined
  readonly #warnBytes: number
  isStopping = false
  /** Events with more data than is meant. */
  large = 0
  readonly counts = noCounts()
  /** Of these, what came over HTTP: the counts of the passive sources. */
  readonly doorCounts = noCounts()

  constructor(store: Store, limits: EventLimits, platform: Platform, dispatch: IngestDispatch, guards?: IngestGuards) {
    this.#store = store
    this.#guards = guards
    this.#gate = guards?.gate
    this.#warnBytes = guards?.warnBytes ?? Number.POSITIVE_INFINITY
    this.#limits = {
      ...limits,
      get nowMs() {
        return platform.clock.now()
      },
    }
    this.#platform = platform
    this.#dispatch = dispatch
  }

  /** Events stored although they do not fit their schema. */
  get warned(): number {
    return this.#gate?.warned ?? 0
  }

  async publishOne(event: EventInput): Promise<PublishResult> {
    const checked = this.#check(event)
    if (!checked.ok) {
      this.counts.refused += 1
      throw new AppError('event-invalid', `publishing an event failed: ${checked.issues.map(textOf).join('; ')}`, {
        facts: { issues: checked.issues },
      })
    }
    const [result] = await this.#admit([checked.record])
    return Object.assign(result!, { durability: this.#store.durability })
  }

  async publishMany(events: readonly EventInput[]): Promise<readonly PublishResult[]> {
    const { results } = await this.ingestInputs(events)
    // The results were made for this call alone: one property more is cheaper than a copy of each.
    return results.map((result) => Object.assign(result, { durability: this.#store.durability }))
  }

  /** Checks and appends; what is not valid is refused in its place. `dataTexts` are data that is JSON text already. */
  async ingestInputs(
    events: readonly EventInput[],
    cursor?: Commit['cursor'],
    dataTexts?: readonly (string | undefined)[],
  ): Promise<{ results: readonly IngestResult[] }> {
    const records: EventRecord[] = []
    const results: (IngestResult | undefined)[] = []
    for (const event of events) {
      if (results.length > 0 && results.length % checkedPerTurn === 0) await otherWork(this.#platform, this.#dispatch)
      const checked = this.#check(event, dataTexts?.[results.length])
      if (checked.ok) records.push(checked.record)
      results.push(checked.ok ? undefined : this.#refuse(event, checked.issues))
    }
    const admitted = records.length === 0 && cursor === undefined ? [] : await this.#admit(records, cursor)
    let next = 0
    return { results: results.map((result) => result ?? admitted[next++]!) }
  }

  /** The events as they would be stored, all of them: throws for the first that would be refused, and says which it is. */
  async assertValid(events: readonly EventInput[], isStrict = false): Promise<readonly EventRecord[]> {
    const records: EventRecord[] = []
    for (const event of events) {
      if (records.length > 0 && records.length % checkedPerTurn === 0) await otherWork(this.#platform, this.#dispatch)
      const checked = this.#check(event)
      if (!checked.ok) throw this.#notWhole(records.length, events.length, checked.issues.map(textOf).join('; '))
      records.push(checked.record)
    }
    return this.assertFit(records, isStrict)
  }

  /** The same for records whose form is checked. With `isStrict` what would be quarantined is refused. */
  async assertFit(records: readonly EventRecord[], isStrict: boolean): Promise<readonly EventRecord[]> {
    if (this.#gate === undefined) return records
    const screened = await this.#gate.screenAll(records, isStrict)
    return screened.map((each, at) => {
      if (each.kind !== 'refused') return each.record
      const { code, message } = mismatch(each)
      throw this.#notWhole(at, records.length, message, code)
    })
  }

  #notWhole(at: number, count: number, problem: string, code: ErrorCode = 'event-invalid'): AppError {
    this.counts.refused += 1
    return new AppError(code, `event ${at} of ${count} is not valid, and nothing of its batch was stored: ${problem}`)
  }

  /** False for what would be refused. */
  isValid(event: EventInput): boolean {
    return this.#check(event).ok
  }

  /** An event from outside: as any event, named by its stream if it has one, and not by the engine's name, a forgery. */
  #check(event: EventInput, dataText?: string): CheckedEvent {
    const checked = checkEvent(event, this.#limits, dataText)
    if (!checked.ok) return checked
    const issue = sourceIssue(checked.record) ?? streamIssue(checked.record, this.#guards?.isStreamed)
    const { id, source } = checked.record
    return issue === undefined ? checked : { ok: false, issues: [issue], id, source }
  }

  #refuse(event: EventInput, issues: readonly Issue[]): IngestResult {
    this.counts.refused += 1
    const message = issues.map(textOf).join('; ')
    const code = issues[0]?.code ?? 'event-invalid'
    return {
      source: String(event?.source ?? ''),
      id: String(event?.id ?? ''),
      status: 'refused',
      error: { code, message },
    }
  }

  ingest(records: readonly EventRecord[]): Promise<readonly IngestResult[]> {
    if (this.#gate !== undefined) {
      return this.#admit(records).then((results) => {
        for (const { status } of results) this.doorCounts[status] += 1
        return results
      })
    }
    return this.#commit(records, undefined, (appended) => {
      for (const { status } of appended) this.doorCounts[status] += 1
      return resultsOf(records, appended)
    })
  }

  /** Events that the door refused before they came here. */
  countRefused(events: number): void {
    this.counts.refused += events
    this.doorCounts.refused += events
  }

  /** Appends the original of a quarantined event, if it fits now; answers why it does not. */
  async redrive(record: EventRecord): Promise<IngestResult> {
    const [result] = await this.#admit([record], undefined, true)
    return result!
  }

  /** What fits the schema of its type is one commit, with the source's cursor and what is quarantined. */
  async #admit(
    records: readonly EventRecord[],
    cursor?: Commit['cursor'],
    isStrict = false,
  ): Promise<readonly IngestResult[]> {
    if (this.#gate === undefined) return this.#commit(records, cursor, (appended) => resultsOf(records, appended))
    const screened = await this.#gate.screenAll(records, isStrict)
    const kept = screened.flatMap((each) => (each.kind === 'refused' ? [] : [each]))
    this.counts.refused += screened.length - kept.length
    const stored = kept.map(({ record }) => record)
    const appended =
      kept.length === 0 && cursor === undefined
        ? []
        : await this.#commit(
            stored,
            cursor,
            (answer) => answer,
            (at) => kept[at]!.kind === 'quarantined',
          )
    let next = 0
    return screened.map((each, at) => {
      const { source, id } = records[at]!
      if (each.kind === 'refused') return { source, id, status: 'refused', error: mismatch(each) }
      const { status, sequence } = appended[next++]!
      return each.kind === 'pass'
        ? { source, id, status, sequence }
        : { source, id, status: 'quarantined', sequence, error: mismatch(each) }
    })
  }

  /** Said and counted: an event this large is a bundle of facts, or should hold a reference (S3-18). */
  #tellLarge({ type, source, data }: EventRecord): void {
    this.large += 1
    this.#guards?.rareLog.warn(
      'large',
      'events are larger than limits.warnSize: publish smaller facts, or a reference',
      {
        type,
        source,
        bytes: data?.length,
        large: this.large,
      },
    )
  }

  /** Appends to one stream, whole or not at all: what the store says of it. */
  appendWhole(records: readonly EventRecord[], expect: NonNullable<Commit['expect']>): Promise<CommitResult> {
    return this.#submit(records, { ...commitOf(records, this.#guards?.isStreamed), expect }, (result) => {
      if (result.kind === 'ok') this.#count(result.events)
      return result
    })
  }

  #commit<T>(
    records: readonly EventRecord[],
    cursor: Commit['cursor'],
    resultOf: (appended: readonly AppendResult[]) => T,
    isQuarantined?: (at: number) => boolean,
  ): Promise<T> {
    const commit = commitOf(records, this.#guards?.isStreamed)
    return this.#submit(records, cursor === undefined ? commit : { ...commit, cursor }, (result) => {
      if (result.kind !== 'ok')
        throw new AppError('internal', `publishing failed: the store refused the commit: ${result.detail}`)
      this.#count(result.events, isQuarantined)
      return resultOf(result.events)
    })
  }

  #count(appended: readonly AppendResult[], isQuarantined?: (at: number) => boolean): void {
    let stored = 0
    for (let at = 0; at < appended.length; at++) {
      const { status } = appended[at]!
      this.counts[isQuarantined?.(at) === true ? 'quarantined' : status] += 1
      if (status === 'stored') stored += 1
    }
    if (stored > 0) this.#dispatch.wake()
  }

  /** One promise from the store's to the caller's: many single events come this way. */
  #submit<T>(records: readonly EventRecord[], commit: Commit, take: (result: CommitResult) => T): Promise<T> {
    const refusal = this.#refusalOf(records.length)
    if (refusal !== undefined) return Promise.reject(refusal)
    this.#waiting += records.length
    for (const record of records)
      if (record.data !== undefined && record.data.length > this.#warnBytes) this.#tellLarge(record)
    return this.#store.commit([commit]).then(
      ([result]) => {
        this.#waiting -= records.length
        return take(result!)
      },
      (error: unknown) => {
        this.#waiting -= records.length
        // They may be there all the same, and nobody else would say so.
        this.#dispatch.wake()
        throw error
      },
    )
  }

  #refusalOf(events: number): AppError | undefined {
    if (this.isStopping)
      return new AppError('stopping', 'publishing failed: the pipeline is stopping; try again when it is back')
    if (this.#waiting === 0 || this.#waiting + events <= waitingEvents) return undefined
    return new AppError(
      'overloaded',
      `publishing failed: ${this.#waiting} events already wait for the disk; try again in a second`,
      { facts: { retryAfterSeconds: 1 } },
    )
  }
}

function textOf({ message }: Issue): string {
  return message
}
