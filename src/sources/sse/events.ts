import { textProblem } from '../../core/event-fields.ts'
import { scanJson } from '../../core/json-scan.ts'
import { compilePatterns } from '../../core/match.ts'
import { eventOf, type SourceEvent } from '../../io/event-of.ts'
import { textOfValue } from '../../io/pick.ts'
import { idFrom, timeFrom, typeFrom } from '../../io/received-fields.ts'
import type { SseMessage } from '../../io/sse-parser.ts'
import type { SseOptions } from './options.ts'

/** More than any event may hold: ingest has the limits of the configuration. */
const limits = { depth: 512, keys: 100_000 }

/** Makes what turns a message into an event; undefined for a type that is not taken. */
export function createMapping(options: SseOptions): (message: SseMessage) => SourceEvent | undefined {
  const { map, eventType } = options
  const isTaken = options.types === undefined ? () => true : compilePatterns(options.types)
  return (message) => {
    const data = dataOf(message.data)
    const cloudEvent = isCloudEvent(data) ? eventOf(data) : undefined
    if (cloudEvent !== undefined) return isTaken(cloudEvent.type) ? cloudEvent : undefined
    const scope = { data, event: message.type, id: message.id }
    const text = (pick: SseOptions['id']): string | undefined =>
      pick === undefined ? undefined : textOfValue(pick(scope))
    const named = message.type === 'message' ? 'sse.message' : message.type
    const type = eventType ?? typeFrom(text(map.type) ?? named, 'sse.message')
    if (!isTaken(type)) return undefined
    return {
      id: text(options.id) ?? idOf(message),
      type,
      subject: text(map.subject),
      time: timeFrom(text(map.time)),
      data: map.data === undefined ? data : map.data(scope),
    }
  }
}

/** The id that the stream gave, when it gave this very event one that can be an id; else a hash. */
function idOf({ type, data, id, hasOwnId }: SseMessage): string {
  return hasOwnId && textProblem(id, 255) === undefined ? id : idFrom(id, type, data)
}

/** JSON as its value, everything else as text. */
function dataOf(text: string): unknown {
  if (!scanJson(text, limits).ok) return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

function isCloudEvent(data: unknown): boolean {
  return typeof data === 'object' && data !== null && 'specversion' in data
}
