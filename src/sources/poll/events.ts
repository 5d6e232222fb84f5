import { canonicalJson } from '../../core/content.ts'
import { AppError } from '../../core/errors.ts'
import { type Json, timeText } from '../../core/event.ts'
import type { Platform } from '../../core/platform.ts'
import { textOfValue } from '../../io/pick.ts'
import type { SourceBatch } from '../../plugin/source.ts'
import { type CursorValue, compareValues, cursorValueOf } from './cursor-value.ts'
import type { Field, PollOptions } from './options.ts'

type PolledEvent = SourceBatch['events'][number]
type Scope = Readonly<Record<string, unknown>>

/** The items of a page as events, and where they stand by `cursorField`. */
export interface PageEvents {
  readonly events: readonly PolledEvent[]
  readonly first?: CursorValue | undefined
  readonly last?: CursorValue | undefined
  readonly high?: CursorValue | undefined
}

/** Items mapped before other work gets a turn: a few milliseconds. */
const itemsPerTurn = 200

/**
 * Maps the items of a page. An item without what is configured fails the whole page, by name and place: left out, it would be
 * lost in silence.
 */
export async function eventsOf(
  items: readonly Json[],
  around: { readonly body: Json; readonly headers: Readonly<Record<string, string>> },
  options: PollOptions,
  platform: Platform,
): Promise<PageEvents> {
  const events: PolledEvent[] = []
  let marks: Pick<PageEvents, 'first' | 'last' | 'high'> = {}
  const toEvent = createMapping(options, platform)
  const { cursorField } = options
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % itemsPerTurn === 0) await new Promise<void>((resolve) => platform.soon(resolve))
    const scope = { item, ...around }
    const fail = (problem: string): never => {
      const place = options.items.text.startsWith('$')
        ? `${options.items.text}[${index}]`
        : `${index} of ${options.items.text}`
      throw new AppError('event-invalid', `item ${place} ${problem}; nothing of its page was stored`)
    }
    events.push(toEvent(item, scope, fail))
    if (cursorField === undefined) continue
    const mark = cursorValueOf(cursorField.pick(scope)) ?? fail(`has no cursor at ${cursorField.text}`)
    const { first = mark, high = mark } = marks
    marks = { first, last: mark, high: compareValues(mark, high) > 0 ? mark : high }
  }
  return { events, ...marks }
}

type Fail = (problem: string) => never

function createMapping(
  options: PollOptions,
  platform: Platform,
): (item: Json, scope: Scope, fail: Fail) => PolledEvent {
  const { map, eventType = 'item.received', timeFormat } = options
  const { id = options.id, type, subject = options.subject, time = options.time, data = options.data, meta } = map
  return (item, scope, fail) => {
    const event: { -readonly [name in keyof PolledEvent]: PolledEvent[name] } = {
      id: id === undefined ? platform.digest(canonicalJson(JSON.stringify(item))) : required('id', id, scope, fail),
      type: type === undefined ? eventType : required('type', type, scope, fail),
      data: data === undefined ? item : membersOrValue(data, scope),
    }
    if (subject !== undefined) event.subject = optional('subject', subject, scope, fail)
    if (time !== undefined) event.time = timeOf(time, scope, timeFormat, fail)
    if (meta !== undefined) event.meta = members(meta, scope)
    return event
  }
}

function required(name: string, { text, pick }: Field, scope: Scope, fail: Fail): string {
  return textOfValue(pick(scope)) ?? fail(`has no ${name} at ${text}`)
}

function optional(name: string, { text, pick }: Field, scope: Scope, fail: Fail): string | undefined {
  const value = pick(scope)
  if (value === undefined || value === null || value === '') return undefined
  return textOfValue(value) ?? fail(`has a ${name} at ${text} that is not text`)
}

function timeOf(field: Field, scope: Scope, format: PollOptions['timeFormat'], fail: Fail): string {
  const value = field.pick(scope)
  if (format === 'rfc3339' || (typeof value === 'string' && !/^\d+(\.\d+)?$/.test(value))) {
    return typeof value === 'string' && value !== ''
      ? value
      : fail(`has no time at ${field.text}${typeof value === 'number' ? ', but a number: set timeFormat' : ''}`)
  }
  const ms = Number(value ?? Number.NaN) * (format === 'seconds' ? 1000 : 1)
  return Math.abs(ms) <= 8.64e15 ? timeText(Math.round(ms)) : fail(`has no time at ${field.text}`)
}

function membersOrValue(data: Field | Readonly<Record<string, Field>>, scope: Scope): Json | undefined {
  return isField(data) ? data.pick(scope) : members(data, scope)
}

function isField(data: Field | Readonly<Record<string, Field>>): data is Field {
  return typeof data['pick'] === 'function'
}

function members(fields: Readonly<Record<string, Field>>, scope: Scope): Readonly<Record<string, Json>> {
  const found = Object.entries(fields).map(([name, { pick }]) => [name, pick(scope)] as const)
  return Object.fromEntries(found.filter((each): each is readonly [string, Json] => each[1] !== undefined))
}
