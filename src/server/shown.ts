import { AppError } from '../core/errors.ts'
import { Event, type Json } from '../core/event.ts'
import { changeAt, type EventPath } from '../plugin/event-path.ts'
import { type Caller, isAnonymous } from './auth.ts'
import type { Call } from './context.ts'

/** Stands for what is not shown. */
export const hidden = '***'

type Look = (event: Event) => Event

/** What a caller sees of events where they are looked at: search, dead letters, streams of events, samples (SEC-53). */
export function viewOf(call: Call): Look {
  return lookOf(call) ?? ((event) => event)
}

/** The same for who shares it with other callers: one function for all who are shown the same; undefined: all is shown. */
export function lookOf({ caller: { payload = 'masked' }, context: { mask } }: Call): Look | undefined {
  if (payload === 'hidden') return withoutContent
  if (payload === 'full' || mask.length === 0) return undefined
  const known = looks.get(mask) ?? maskingOf(mask)
  looks.set(mask, known)
  return known
}

const looks = new WeakMap<readonly EventPath[], Look>()

function withoutContent(event: Event): Event {
  return new Event({ ...event.record, data: undefined, meta: undefined })
}

function maskingOf(mask: readonly EventPath[]): Look {
  const originals = mask.flatMap(inOriginal)
  const [inData, inMeta] = [mask.filter(({ root }) => root === 'data'), mask.filter(({ root }) => root === 'meta')]
  return (event) => {
    const { record } = event
    const places = event.type === 'millrace.quarantined' ? originals : inData
    const data = places.length === 0 ? record.data : maskedData(event, places)
    const meta = inMeta.length === 0 || record.meta === undefined ? record.meta : masked(event.meta, inMeta)
    return data === record.data && meta === record.meta ? event : new Event({ ...record, data, meta })
  }
}

/** The same place in the event that a quarantined one was: its meta stands beside the other attributes, or in a text. */
function inOriginal({ root, steps, text }: EventPath): EventPath[] {
  const at = (...before: string[]): EventPath => ({ root: 'data', text, steps: ['event', ...before, ...steps] })
  if (root === 'data') return [at('data'), { root: 'data', text, steps: ['event', 'data_base64'] }]
  return [at(), { root: 'data', text, steps: ['event', 'meta'] }]
}

/** True when some content of events is kept from the caller. */
export function isGuarded({ caller: { payload = 'masked' }, context: { mask } }: Call): boolean {
  return payload === 'hidden' || (payload === 'masked' && mask.length > 0)
}

/**
 * Throws for a caller from whom content is kept, where it is handed over whole or not at all: who works with a batch would
 * take a mask for the value, and what stages keep has no places that could be named.
 */
export function requireWhole(call: Call, what: string): void {
  if (!isGuarded(call)) return
  const who = isAnonymous(call.caller) ? 'who shows no token' : `the token ${call.caller.name}`
  throw new AppError(
    'forbidden',
    `${who} is not shown all content of events, and ${what} cannot be masked: use a token with payload: full`,
  )
}

/** Throws for a caller who is shown no content, where there is nothing else to see. */
export function requireContent({ name, payload }: Caller): void {
  if (payload === 'hidden')
    throw new AppError('forbidden', `the token ${name} is not shown the content of events, and this is nothing else`)
}

/** Bytes cannot be looked into: as good as nothing is shown of them. */
function maskedData(event: Event, places: readonly EventPath[]): string | Uint8Array | undefined {
  const { data } = event.record
  if (data === undefined) return undefined
  return typeof data === 'string' ? masked(event.data, places, data) : undefined
}

function masked(value: Json, places: readonly EventPath[], text?: string): string {
  let isChanged = false
  const change = (): Json => {
    isChanged = true
    return hidden
  }
  const shown = places.reduce<Json | undefined>((before, { steps }) => changeAt(before, steps, change), value)
  // What has nothing to hide stays as the producer wrote it.
  return !isChanged && text !== undefined ? text : JSON.stringify(shown)
}
