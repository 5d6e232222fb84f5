import { messageOf } from '../core/errors.ts'
import { deepFreeze, Event } from '../core/event.ts'
import { versionOf, withVersion } from '../core/schema-version.ts'
import type { EventSchemas, TypeSchemas } from '../plugin/event-schemas.ts'

/** Shows a subscription an event as its version has it. */
export type Upcasting = (event: Event) => Event

/** Events that were brought to another version, and what is stored of them. */
const storedForms = new WeakMap<Event, Event>()
/** Events that could not be. */
const failures = new WeakMap<Event, string>()

/** The event as the log has it. */
export function storedForm(event: Event): Event {
  return storedForms.get(event) ?? event
}

/** Why an event could not be brought to the version that its subscription wants; undefined for all others. */
export function upcastFailure(event: Event): string | undefined {
  return failures.get(event)
}

/**
 * Brings old events to the newest version of their type, or to the one that a subscription is pinned to. Undefined where
 * nothing can ever be changed. Events that are as new already, or newer than the pin, stay themselves.
 */
export function createUpcasting(
  schemas: EventSchemas | undefined,
  pins: Readonly<Record<string, number>> = {},
): Upcasting | undefined {
  const targets = new Map<string, { readonly known: TypeSchemas; readonly target: number }>()
  for (const known of schemas?.values() ?? [])
    if (known.upcasts.size > 0) targets.set(known.type, { known, target: pins[known.type] ?? known.newest })
  if (targets.size === 0) return undefined
  // The tail of the log serves many readers, and a reader may be shown an event twice.
  const done = new WeakMap<Event, Event>()
  return (event) => {
    const found = targets.get(event.type)
    if (found === undefined) return event
    let upcast = done.get(event)
    if (upcast === undefined) {
      upcast = upcastEvent(event, found.known, found.target)
      done.set(event, upcast)
    }
    return upcast
  }
}

function upcastEvent(event: Event, { upcasts, type }: TypeSchemas, target: number): Event {
  // One without a version is as old as the oldest upcaster knows: events are marked since there are schemas.
  const from = versionOf(event.record) ?? Math.min(...upcasts.keys())
  if (from >= target) return event
  try {
    const data = upcastData(event.data, upcasts, from, target)
    const record = { ...withVersion(event.record, target), data: textOf(data) }
    const upcast = new Event({ ...record, sequence: event.sequence, appendedAt: event.record.appendedAt })
    storedForms.set(upcast, event)
    return upcast
  } catch (error) {
    // A copy: the event itself may be right for another subscription.
    const failed = new Event(event.record)
    failures.set(failed, `bringing ${type} from version ${from} to ${target} failed: ${messageOf(error)}`)
    storedForms.set(failed, event)
    return failed
  }
}

/** Takes data from one version to another, step by step; throws what a step throws. */
export function upcastData(data: unknown, upcasts: TypeSchemas['upcasts'], from: number, target: number): unknown {
  let value = data
  for (let version = from; version < target; version++) {
    const step = upcasts.get(version)
    if (step === undefined) throw new Error(`there is no upcaster from version ${version}`)
    value = deepFreeze(step(value as never))
    if (value instanceof Promise)
      throw new Error(`the upcaster from version ${version} answered a promise: it must answer at once`)
  }
  return value
}

function textOf(data: unknown): string | undefined {
  if (data === undefined) return undefined
  const text = JSON.stringify(data) as string | undefined
  if (text === undefined) throw new Error('the upcaster answered what JSON cannot hold')
  return text
}
