import { AppError } from '../core/errors.ts'
import type { EventInput, EventRecord } from '../core/event.ts'
import { type CheckedEvent, checkEvent, type EventLimits } from '../core/event-check.ts'
import type { Issue } from '../core/issues.ts'
import type { Platform } from '../core/platform.ts'
import type { IngestResult } from '../plugin/source.ts'
import type { AppendResult, Commit, Store } from '../plugin/store.ts'
import type { PublishResult } from './api.ts'

/** Events handed to the store and not yet answered, at most: beyond it a publisher is told to slow down. */
const waitingEvents = 200_000
/** Events checked before other work gets a turn: less than a millisecond. */
const checkedPerTurn = 250

export interface IngestCounts {
  stored: number
  duplicate: number
  conflict: number
  refused: number
}

export function noCounts(): IngestCounts {
  return { stored: 0, duplicate: 0, conflict: 0, refused: 0 }
}

/**
 * The way into the log: checks, one atomic commit of what is valid, and a signal to dispatch after it. The signal carries
 * nothing; dispatch reads the log.
 */
export class Ingest {
  readonly #store: Store
  readonly #limits: EventLimits
  readonly #onStored: () => void
  readonly #platform: Platform
  #waiting = 0
  isStopping = false
  readonly counts = noCounts()
  /** Of these, what came over HTTP: the counts of the passive sources. */
  readonly doorCounts = noCounts()

  constructor(store: Store, limits: EventLimits, platform: Platform, onStored: () => void) {
    this.#store = store
    this.#limits = limits
    this.#platform = platform
    this.#onStored = onStored
  }

  async publishOne(event: EventInput): Promise<PublishResult> {
    const checked = checkInput(event, this.#limits)
    if (!checked.ok) {
      this.counts.refused += 1
      throw new AppError(
        'event-invalid',
        `publishing an event failed: ${checked.issues.map(({ message }) => message).join('; ')}`,
        { facts: { issues: checked.issues } },
      )
    }
    const [result] = await this.append([checked.record])
    return { source: checked.record.source, id: checked.record.id, ...result!, durability: this.#store.durability }
  }

  async publishMany(events: readonly EventInput[]): Promise<readonly PublishResult[]> {
    const { results } = await this.ingestInputs(events)
    // The results were made for this call alone: one property more is cheaper than a copy of each.
    return results.map((result) => Object.assign(result, { durability: this.#store.durability }))
  }

  /** Checks and appends; what is not valid is refused in its place. */
  async ingestInputs(
    events: readonly EventInput[],
    cursor?: Commit['cursor'],
  ): Promise<{ results: readonly IngestResult[] }> {
    const records: EventRecord[] = []
    const results: (IngestResult | undefined)[] = []
    for (const event of events) {
      if (results.length > 0 && results.length % checkedPerTurn === 0) await this.#turn()
      const checked = checkInput(event, this.#limits)
      if (checked.ok) records.push(checked.record)
      results.push(checked.ok ? undefined : this.#refuse(event, checked.issues))
    }
    const appended = records.length === 0 && cursor === undefined ? [] : await this.append(records, cursor)
    let next = 0
    return {
      results: results.map((result) => {
        if (result !== undefined) return result
        const record = records[next]!
        const { status, sequence } = appended[next]!
        next += 1
        return { source: record.source, id: record.id, status, sequence }
      }),
    }
  }

  #refuse(event: EventInput, issues: readonly Issue[]): IngestResult {
    this.counts.refused += 1
    const message = issues.map((issue) => issue.message).join('; ')
    const code = issues[0]?.code ?? 'event-invalid'
    return {
      source: String(event?.source ?? ''),
      id: String(event?.id ?? ''),
      status: 'refused',
      error: { code, message },
    }
  }

  /** Lets other work of the process go on in the middle of a large batch. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#platform.soon(resolve))
  }

  async ingest(records: readonly EventRecord[]): Promise<readonly IngestResult[]> {
    const appended = await this.append(records)
    for (const { status } of appended) this.doorCounts[status] += 1
    return records.map(({ source, id }, i) => ({
      source,
      id,
      status: appended[i]!.status,
      sequence: appended[i]!.sequence,
    }))
  }

  /** One commit of records already checked, with the source's cursor. */
  async append(records: readonly EventRecord[], cursor?: Commit['cursor']): Promise<readonly AppendResult[]> {
    if (this.isStopping)
      throw new AppError('stopping', 'publishing failed: the pipeline is stopping; try again when it is back')
    if (this.#waiting > 0 && this.#waiting + records.length > waitingEvents) {
      throw new AppError(
        'overloaded',
        `publishing failed: ${this.#waiting} events already wait for the disk; try again in a second`,
        { facts: { retryAfterSeconds: 1 } },
      )
    }
    this.#waiting += records.length
    try {
      const [result] = await this.#store.commit([
        cursor === undefined ? { events: records } : { events: records, cursor },
      ])
      if (result?.kind !== 'ok')
        throw new AppError(
          'internal',
          `publishing failed: the store refused the commit: ${result?.detail ?? 'no answer'}`,
        )
      let stored = 0
      for (const { status } of result.events) {
        this.counts[status] += 1
        if (status === 'stored') stored += 1
      }
      if (stored > 0) this.#onStored()
      return result.events
    } finally {
      this.#waiting -= records.length
    }
  }
}

/** An event from outside: as any event, and not under the name of the engine's own, which would be a forgery. */
function checkInput(event: EventInput, limits: EventLimits): CheckedEvent {
  const checked = checkEvent(event, limits)
  if (!checked.ok || !checked.record.source.startsWith('millrace:')) return checked
  const { id, source } = checked.record
  const message = 'source begins with millrace:, which is the name of the engine’s own events; use another'
  return { ok: false, issues: [{ code: 'source-forbidden', message, path: ['source'] }], id, source }
}
