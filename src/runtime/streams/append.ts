import { isSameContent } from '../../core/content.ts'
import { AppError } from '../../core/errors.ts'
import type { EventRecord, Sequence } from '../../core/event.ts'
import { type IsStreamed, streamNameProblem } from '../../core/stream.ts'
import type { CommitResult, Store } from '../../plugin/store.ts'
import type { Ingest } from '../ingest.ts'
import type { Appended, AppendOptions, ExpectedVersion } from './face.ts'

/** What an append needs of the pipeline. */
export interface AppendParts {
  readonly store: Store
  readonly ingest: Ingest
  /** Absent: no type belongs to a stream. */
  readonly isStreamed: IsStreamed | undefined
}

/** Appends checked records, whose subject is the stream, whole or not at all. */
export async function appendToStream(
  { store, ingest, isStreamed }: AppendParts,
  stream: string,
  records: readonly EventRecord[],
  { expect }: AppendOptions,
): Promise<Appended> {
  checkAppend(stream, records, expect, isStreamed)
  const result = await ingest.appendWhole(records, { stream, version: expect === 'any' ? undefined : expect })
  const { durability } = store
  if (result.kind === 'ok') {
    const results = records.map(({ source, id }, at) => ({ source, id, ...result.events[at]!, durability }))
    return { version: result.version!, results }
  }
  const sequences = await Promise.all(records.map(({ source, id }) => store.find(source, id)))
  const version = await versionOfAll(store, stream, records, sequences)
  if (version === undefined) throw refusalOf(stream, expect, result, records, sequences)
  ingest.counts.duplicate += records.length
  const results = records.map(({ source, id }, at) => {
    return { source, id, status: 'duplicate' as const, sequence: sequences[at], durability }
  })
  return { version, results }
}

/** The version that the last of these events has, when all of them are in the stream: an earlier append stored them. */
async function versionOfAll(
  store: Store,
  stream: string,
  records: readonly EventRecord[],
  sequences: readonly (Sequence | undefined)[],
): Promise<number | undefined> {
  let version: number | undefined = 0
  for (const [at, record] of records.entries()) {
    const sequence = sequences[at]
    if (sequence === undefined) return undefined
    const [there] = await store.readMany([sequence])
    // Where retention took the event its content is gone; source and id then say that it was this one.
    if (there !== undefined && !isSameContent(there.record, record)) return undefined
    version = await store.versionAt(stream, sequence)
    // One that was stored before its type was declared has no version.
    if (version === undefined || version === (await store.versionAt(stream, sequence - 1))) return undefined
  }
  return version
}

function refusalOf(
  stream: string,
  expected: ExpectedVersion,
  { reason, detail, version: actual }: CommitResult & { readonly kind: 'refused' },
  records: readonly EventRecord[],
  sequences: readonly (Sequence | undefined)[],
): AppError {
  const failed = `appending to the stream ${stream} failed`
  if (reason === 'expect')
    return new AppError(
      'version-conflict',
      `${failed}: it is at version ${actual}, and ${expected} was expected. Read what came since, decide anew and append again.`,
      { facts: { stream, expected, actual } },
    )
  const at = sequences.findIndex((sequence) => sequence !== undefined)
  const record = records[at]
  if (record === undefined) return new AppError('internal', `${failed}: ${detail}`)
  return new AppError(
    'event-conflict',
    `${failed}: event ${at} of ${records.length} has the source and id of one that is stored, and they are not all a repetition of an earlier append. Nothing was appended; a new fact needs a new id.`,
    { facts: { stream, id: record.id, source: record.source, sequence: sequences[at] } },
  )
}

function checkAppend(
  stream: string,
  records: readonly EventRecord[],
  expect: ExpectedVersion,
  isStreamed: IsStreamed = () => false,
): void {
  const problem = streamNameProblem(stream)
  if (problem !== undefined) throw invalid('a stream', `its name ${problem}`)
  const doing = `the stream ${stream}`
  if (expect !== 'any' && !(Number.isSafeInteger(expect) && expect >= 0))
    throw new AppError('bad-request', `appending to ${doing} failed: expect is a version from 0, or any`)
  if (records.length === 0) throw invalid(doing, 'there is no event to append')
  const keys = new Set(records.map(({ source, id }) => JSON.stringify([source, id])))
  if (keys.size < records.length) throw invalid(doing, 'two of the events have the same source and id')
  for (const [at, { type, subject }] of records.entries()) {
    const which = `event ${at} of ${records.length}`
    if (subject !== stream) throw invalid(doing, `${which} has another subject, and the subject names the stream`)
    if (!isStreamed(type))
      throw invalid(
        doing,
        `${which} has the type ${type}, which is not declared: add it to streams of the configuration`,
      )
  }
}

function invalid(to: string, problem: string): AppError {
  return new AppError('event-invalid', `appending to ${to} failed: ${problem}`)
}
