import { parseDuration } from '../core/duration.ts'
import { messageOf } from '../core/errors.ts'
import { deepFreeze, Event, type EventRecord, type Json } from '../core/event.ts'
import { checkEvent } from '../core/event-check.ts'
import type { Outcome } from '../core/outcome.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { Stage, StageResult } from '../plugin/stage.ts'
import type { Call, Calls } from './calls.ts'
import type { Flight } from './flight.ts'
import type { Places } from './places.ts'

export interface RunningStage {
  readonly name: string
  readonly stage: Stage
  /** Calls at a time at most. */
  readonly places: Places
  /** The calls under way, with this stage's own timeout. */
  readonly calls: Calls
}

/** What a stage's attempt came to. */
export interface StageEnd {
  readonly outcome: Outcome
  readonly hasThrown: boolean
  readonly context: Readonly<Record<string, Json>> | undefined
  readonly event: Event | undefined
  readonly derived: readonly EventRecord[]
}

/** Runs one attempt. Exceptions, wrong answers and timeouts are values here: a stage never ends the pipeline. */
export async function runStage(
  { name, stage }: RunningStage,
  flight: Flight,
  call: Call,
  { log, name: subscription }: PluginContext,
): Promise<StageEnd> {
  try {
    const result = await stage.process({
      event: flight.event,
      context: flight.context,
      attempt: flight.attempt,
      get signal() {
        return call.signal
      },
      log,
    })
    return read(result ?? { outcome: 'ack' }, flight, { stage: name, subscription })
  } catch (error) {
    const reason = call.hasTimedOut ? `stage ${name} timed out` : `stage ${name} threw: ${messageOf(error)}`
    return end({ outcome: 'retry', reason }, true)
  }
}

function end(outcome: Outcome, hasThrown = false, rest: Partial<StageEnd> = {}): StageEnd {
  return { outcome, hasThrown, context: undefined, event: undefined, derived: [], ...rest }
}

function read(result: StageResult, flight: Flight, names: { stage: string; subscription: string }): StageEnd {
  const { outcome, reason, delay } = result
  if (outcome === 'retry') {
    const parsed = delay === undefined ? undefined : parseDuration(delay)
    if (parsed !== undefined && !parsed.ok) throw new Error(`its delay is wrong: ${parsed.problem}`)
    return end({ outcome, reason, delayMs: parsed?.ms })
  }
  if (outcome === 'discard' || outcome === 'reject') return end({ outcome, reason })
  if (outcome !== 'ack')
    throw new Error(`it answered outcome ${JSON.stringify(outcome)}; use ack, retry, discard or reject`)
  return end({ outcome, reason }, false, {
    context: result.context === undefined ? undefined : roundTrip(result.context),
    event: result.event === undefined ? undefined : replace(flight.event, result.event),
    derived: (result.derive ?? []).map((derived, index) => derive(derived, flight, names, index)),
  })
}

/** Through the serialiser, so that types are the same before and after a restart. */
function roundTrip(context: Readonly<Record<string, unknown>>): Readonly<Record<string, Json>> {
  const text = JSON.stringify(context)
  if (text === undefined || !text.startsWith('{')) throw new Error('its context is not a JSON object')
  return deepFreeze(JSON.parse(text) as Record<string, Json>)
}

function replace(event: Event, change: NonNullable<StageResult['event']>): Event {
  const { record } = event
  const checked = checkEvent({
    source: record.source,
    id: record.id,
    type: change.type ?? record.type,
    subject: 'subject' in change ? change.subject : record.subject,
    time: 'time' in change ? change.time : record.time,
    data: 'data' in change ? change.data : event.data,
    meta: 'meta' in change ? change.meta : event.meta,
    datacontenttype: record.datacontenttype,
    dataschema: record.dataschema,
  })
  if (!checked.ok)
    throw new Error(`the event it returned is not valid: ${checked.issues.map(({ message }) => message).join('; ')}`)
  return new Event({ ...checked.record, sequence: record.sequence, appendedAt: record.appendedAt })
}

function derive(
  input: NonNullable<StageResult['derive']>[number],
  flight: Flight,
  { stage, subscription }: { stage: string; subscription: string },
  index: number,
): EventRecord {
  const checked = checkEvent({
    ...input,
    source: `millrace:/${subscription}`,
    id: `${flight.event.id}/${stage}/${index}`,
  })
  if (!checked.ok)
    throw new Error(`derived event ${index} is not valid: ${checked.issues.map(({ message }) => message).join('; ')}`)
  return checked.record
}
