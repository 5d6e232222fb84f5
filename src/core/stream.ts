import type { EventRecord } from './event.ts'
import { textProblem } from './event-fields.ts'

/** True for types whose events belong to a stream: the one that their subject names. */
export type IsStreamed = (type: string) => boolean

/** A stream is named by a subject, and so it is as long as one at most. */
const maxName = 512

/** The stream that an event belongs to; undefined for all others. */
export function streamOf({ type, subject }: EventRecord, isStreamed: IsStreamed): string | undefined {
  return isStreamed(type) ? subject : undefined
}

/** Why an event that belongs to a stream cannot be stored; undefined for all others. */
export function streamProblem({ type, subject }: EventRecord, isStreamed: IsStreamed): string | undefined {
  if (subject !== undefined || !isStreamed(type)) return undefined
  return `subject is missing: events of type ${type} belong to a stream, and the subject names it`
}

/** What is wrong with the name of a stream; undefined when it can be one. */
export function streamNameProblem(name: string): string | undefined {
  return textProblem(name, maxName)
}
