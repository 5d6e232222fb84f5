import { AppError } from '../../core/errors.ts'
import type { EventRecord, Sequence, StoredRecord } from '../../core/event.ts'
import type {
  BatchRow,
  DeadRow,
  DeliveryRow,
  HeldRow,
  HistoryRow,
  KeptRow,
  LedgerRecord,
  LedgerState,
} from '../../core/ledger-state.ts'
import type { LedgerChange } from '../../plugin/store.ts'
import { decodeRuns, encodeRuns } from './number-runs.ts'
import type { WireChange, WireLedger } from './protocol.ts'

/**
 * Ledger rows to and from what is stored: columns for what SQL looks at, one JSON text for the rest. Runs on the main thread.
 * Bytes in an event's data are the only thing JSON cannot hold.
 */
interface StoredEvent {
  readonly bytes?: string
}

function withoutBytes<E extends EventRecord>(event: E): unknown {
  if (!(event.data instanceof Uint8Array)) return event
  return { ...event, data: undefined, bytes: Buffer.from(event.data).toString('base64') }
}

function withBytes<E extends EventRecord>(event: E & StoredEvent): E {
  const { bytes, ...rest } = event
  return bytes === undefined ? event : ({ ...rest, data: new Uint8Array(Buffer.from(bytes, 'base64')) } as unknown as E)
}

export function encodeChange(change: LedgerChange): WireChange {
  const { subscription, partition, epoch } = change
  const wire: { -readonly [Key in keyof WireChange]: WireChange[Key] } = { subscription, partition, epoch }
  if (change.ledger !== undefined) wire.ledger = encodeState(change.ledger)
  if (change.mark !== undefined) wire.mark = change.mark === null ? null : JSON.stringify(change.mark)
  if (change.put?.length) wire.put = change.put.flatMap((row) => [row.sequence, row.dueAt, encodeDelivery(row)])
  if (change.remove?.length) wire.remove = change.remove
  if (change.bury?.length)
    wire.bury = change.bury.flatMap((row) => [row.sequence, row.diedAt, row.event?.type ?? '', encodeDead(row)])
  if (change.unbury?.length) wire.unbury = change.unbury
  if (change.hold?.length) {
    wire.hold = change.hold.flatMap((row) => [
      row.key,
      row.sequences[0] ?? 0,
      row.sequences.length,
      encodeSequences(row.sequences),
    ])
  }
  if (change.kept?.length)
    wire.kept = change.kept.flatMap(({ stage, key, dueAt, value }) => [stage, key, dueAt ?? null, value])
  if (change.batches?.length) wire.batches = change.batches.flatMap((row) => [row.batch, encodeBatch(row)])
  if (change.endBatches?.length) wire.endBatches = change.endBatches
  if (change.history?.length) {
    wire.history = change.history.flatMap(({ first, last, at, runs, attempts }) => [
      last,
      first,
      at,
      JSON.stringify({ runs, attempts }),
    ])
  }
  return wire
}

function encodeDelivery({ sequence: _sequence, dueAt: _dueAt, event, ...rest }: DeliveryRow): string {
  return JSON.stringify(event === undefined ? rest : { ...rest, event: withoutBytes(event) })
}

export function decodeDelivery(row: unknown): DeliveryRow {
  const [sequence, dueAt, body] = row as [Sequence, number, string]
  let rest: Omit<DeliveryRow, 'sequence' | 'dueAt'>
  try {
    rest = JSON.parse(body) as typeof rest
  } catch {
    // The others of its page are good: whoever wants this one finds out.
    const unreadable = `what the store remembered of the delivery of event ${sequence} is damaged. Run \`millrace verify\`.`
    return { sequence, dueAt, state: 'waiting', done: [], attempt: 0, deaths: 0, attempts: [], unreadable }
  }
  return { sequence, dueAt, ...rest, ...(rest.event === undefined ? {} : { event: withBytes(rest.event) }) }
}

function encodeDead({ sequence: _sequence, diedAt: _diedAt, event, ...rest }: DeadRow): string {
  return JSON.stringify(event === undefined ? rest : { ...rest, event: withoutBytes(event) })
}

export function decodeDead(row: unknown): DeadRow {
  const [sequence, diedAt, , body] = row as [Sequence, number, string, string]
  const rest = JSON.parse(body) as Omit<DeadRow, 'sequence' | 'diedAt'>
  return {
    sequence,
    diedAt,
    ...rest,
    ...(rest.event === undefined ? {} : { event: withBytes<StoredRecord>(rest.event) }),
  }
}

/** Differences: a key's waiting events are mostly near one another. */
function encodeSequences(sequences: readonly Sequence[]): string {
  return sequences.map((sequence, index) => sequence - (sequences[index - 1] ?? 0)).join(' ')
}

export function decodeHeld(row: unknown): HeldRow {
  const [key, coded] = row as [string, string]
  let sequence = 0
  return { key, sequences: coded.split(' ').map((difference) => (sequence += Number(difference))) }
}

/** What a pull client has not fetched is many and mostly in a row: runs of differences are short. */
const fewPending = 16

function encodeState({ pending, ...rest }: LedgerState): string {
  const isFew = pending.length <= fewPending
  return JSON.stringify(isFew ? { ...rest, pending } : { ...rest, runs: encodeRuns(pending) })
}

function decodeState(subscription: string, body: string): LedgerState {
  const { runs, ...rest } = parseState(subscription, body)
  return runs === undefined ? rest : { ...rest, pending: decodeRuns(runs) }
}

function parseState(subscription: string, body: string): LedgerState & { readonly runs?: string } {
  try {
    return JSON.parse(body) as LedgerState & { readonly runs?: string }
  } catch {
    throw new AppError(
      'store-corrupt',
      `reading the ledger of ${subscription}: it was changed outside of Millrace or damaged on disk. Run \`millrace verify\`, then restore a backup.`,
    )
  }
}

function encodeBatch(row: BatchRow): string {
  if (row.kind === 'ended') return JSON.stringify(row)
  return JSON.stringify({ ...row, sequences: encodeRuns(row.sequences), counts: encodeRuns(row.counts) })
}

export function decodeBatch(row: unknown): BatchRow {
  const [body] = row as [string]
  const parsed = JSON.parse(body) as BatchRow
  if (parsed.kind === 'ended') return parsed
  const { sequences, counts } = parsed as unknown as { readonly sequences: string; readonly counts: string }
  return { ...parsed, sequences: decodeRuns(sequences), counts: decodeRuns(counts) }
}

export function decodeKept(row: unknown): KeptRow {
  const [stage, key, due, value] = row as [string, string, number | null, string]
  return { stage, key, value, ...(due !== null && { dueAt: due }) }
}

/** Also answers the row's place, for paging. */
export function decodeHistory(row: unknown): { readonly row: HistoryRow; readonly place: string } {
  const [last, n, first, at, body] = row as [Sequence, number, Sequence, number, string]
  return {
    row: { first, last, at, ...(JSON.parse(body) as Pick<HistoryRow, 'runs' | 'attempts'>) },
    place: `${last}.${n}`,
  }
}

export function decodeLedger({
  subscription,
  partition,
  epoch,
  owner,
  body,
  mark,
  openRows,
  deadRows,
  lowestRow,
}: WireLedger): LedgerRecord {
  return {
    ...decodeState(subscription, body),
    subscription,
    partition,
    epoch,
    owner,
    openRows,
    deadRows,
    ...(lowestRow === null ? {} : { lowestRow }),
    ...(mark === null ? {} : { mark: JSON.parse(mark) as NonNullable<LedgerRecord['mark']> }),
  }
}
