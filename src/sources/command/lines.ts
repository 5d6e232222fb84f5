import { hash } from 'node:crypto'
import { eventOf, type SourceEvent } from '../../io/event-of.ts'
import type { Line } from '../../io/line-reader.ts'

/** What a line means. `cursor` may come with an event or alone. */
export type Meaning =
  | { readonly kind: 'bad'; readonly problem: string }
  | { readonly kind: 'line'; readonly event?: SourceEvent; readonly cursor?: string }

export interface Reading {
  readonly eventType: string
  /** The member that holds the cursor. */
  readonly cursor: string | undefined
  /** Makes the id of a line that names none. */
  readonly identify: (line: { readonly number: number; readonly text: string }) => string
}

/** Reads one line of a program's output. An empty line means nothing. */
export function meaningOf(line: Line, { eventType, cursor: member, identify }: Reading): Meaning {
  if (line.kind === 'bad') return { kind: 'bad', problem: line.problem }
  if (line.text.trim() === '') return { kind: 'line' }
  let value: unknown
  try {
    value = JSON.parse(line.text)
  } catch {
    return { kind: 'bad', problem: 'not JSON' }
  }
  const { cursor, rest } = takeCursor(value, member)
  const isBookmark = cursor !== undefined && isObject(rest) && Object.keys(rest).length === 0
  if (isBookmark) return { kind: 'line', cursor }
  // The cursor is no part of an event, but the data of one is left as the program wrote it.
  const event = eventOf(rest) ?? { id: identify(line), type: eventType, data: value }
  return { kind: 'line', event, ...(cursor === undefined ? {} : { cursor }) }
}

function takeCursor(value: unknown, member: string | undefined): { cursor?: string; rest: unknown } {
  if (member === undefined || !isObject(value) || !Object.hasOwn(value, member)) return { rest: value }
  const { [member]: found, ...rest } = value
  if (typeof found === 'string') return { cursor: found, rest }
  return found === null ? { rest } : { cursor: JSON.stringify(found), rest }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Ids from what is said, where it is said and how far the program had come when it began. */
export function contentId(begin: string | undefined): Reading['identify'] {
  return ({ number, text }) => `${number}-${hash('sha256', `${begin ?? ''}\n${text}`, 'base64url').slice(0, 22)}`
}
