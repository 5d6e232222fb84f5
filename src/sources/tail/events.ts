import { eventOf, type SourceEvent } from '../../io/event-of.ts'
import type { Line } from '../../io/line-reader.ts'
import type { Position } from './position.ts'

export const formats = ['text', 'json', 'ndjson'] as const
export type Format = (typeof formats)[number]

/**
 * The event of a line; undefined for a blank one. Its id follows from the file's identity and the line's place, so the
 * same line read again has the same id. A line that cannot be read is an event too, without its content: nothing
 * disappears without a count.
 */
export function eventOfLine(
  line: Line,
  start: number,
  position: Pick<Position, 'key' | 'name' | 'path'>,
  { format, type }: { readonly format: Format; readonly type: string },
): SourceEvent | undefined {
  const { key, name, path } = position
  const place = { id: `${key}-${line.end}`, subject: name, meta: { file: path, offset: start } }
  const unreadable = (problem: string): SourceEvent => ({
    ...place,
    type: `${type}.unreadable`,
    data: { problem, bytes: line.end - start },
  })
  if (line.kind === 'bad') return unreadable(line.problem)
  if (line.text.trim() === '') return undefined
  if (format === 'text') return { ...place, type, data: { line: line.text } }
  let value: unknown
  try {
    value = JSON.parse(line.text)
  } catch {
    return unreadable('not-json')
  }
  const own = format === 'ndjson' ? eventOf(value) : undefined
  return own ?? { ...place, type, data: value }
}
