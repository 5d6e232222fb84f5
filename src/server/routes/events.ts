import { batchToJson, eventToJson } from '../../core/cloud-event.ts'
import { AppError } from '../../core/errors.ts'
import { replayLedger } from '../../core/replay-name.ts'
import type { SchemaOutput } from '../../plugin/schema.ts'
import type { ExplainedDelivery } from '../../runtime/api.ts'
import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'
import type { eventSearch, explainSearch, namePage } from '../schemas.ts'
import { isGuarded, viewOf } from '../shown.ts'
import { deliveryView } from '../views.ts'

export async function searchEvents(call: Call): Promise<Answer> {
  const { context, query } = call
  const { since, until, ...search } = query as SchemaOutput<typeof eventSearch>
  if (search.after !== undefined && search.before !== undefined) {
    throw new AppError('bad-request', 'after and before exclude each other: after goes up, before goes down')
  }
  const { store } = context.pipeline
  const page = await store.query({ ...search, sinceMs: since, untilMs: until })
  // A page may be full with the last event there is.
  const isEnd = search.before === undefined ? (page.next ?? 0) >= store.head() : (page.next ?? 0) <= store.oldest()
  const next = page.next === undefined || isEnd ? '' : `,"next":${page.next}`
  return {
    status: 200,
    type: 'application/json',
    body: `{"events":${batchToJson(page.events.map(viewOf(call)))}${next}}`,
  }
}

export async function readEvent(call: Call): Promise<Answer> {
  const { context, params } = call
  const sequence = sequenceOf(params[0])
  const [event] = await context.pipeline.store.readMany([sequence])
  if (event === undefined) throw unknownEvent(sequence, context.pipeline.store.oldest())
  return { status: 200, type: 'application/json', body: eventToJson(viewOf(call)(event)) }
}

export async function readDeliveries(call: Call): Promise<Answer> {
  const { context, params, query } = call
  const sequence = sequenceOf(params[0])
  requireWritten(sequence, context.pipeline.store.head())
  const { after = '', limit } = query as SchemaOutput<typeof namePage>
  const { deliveries } = await context.pipeline.explain(sequence)
  const sorted = deliveries.filter((delivery) => placeOf(delivery) > after).sort(byPlace)
  const page = sorted.slice(0, limit)
  const next = sorted.length > limit ? placeOf(page.at(-1)!) : undefined
  return json({ deliveries: page.map((each) => deliveryView(each, isGuarded(call))), next })
}

export async function explainEvent(call: Call): Promise<Answer> {
  const { context, params, query } = call
  const sequence = sequenceOf(params[0])
  requireWritten(sequence, context.pipeline.store.head())
  const { subscription } = query as SchemaOutput<typeof explainSearch>
  const explanation = await context.pipeline.explain(sequence, subscription)
  return json({ ...explanation, deliveries: explanation.deliveries.map((each) => deliveryView(each, isGuarded(call))) })
}

function sequenceOf(text: string | undefined): number {
  const sequence = /^\d{1,16}$/.test(text ?? '') ? Number(text) : 0
  if (sequence >= 1 && Number.isSafeInteger(sequence)) return sequence
  throw new AppError('bad-request', 'a sequence is a whole number from 1: the place of the event in the log')
}

function requireWritten(sequence: number, head: number): void {
  if (sequence > head) throw new AppError('not-found', `there is no event ${sequence} yet: the newest is ${head}`)
}

function unknownEvent(sequence: number, oldest: number): AppError {
  const why = sequence < oldest ? `it is no longer kept: the oldest kept is ${oldest}` : 'nothing has that sequence yet'
  return new AppError('not-found', `there is no event ${sequence}: ${why}`)
}

/** Where a delivery stands in the list: those of replays after that of live traffic. */
function placeOf({ subscription, replay }: ExplainedDelivery): string {
  return replay === undefined ? subscription : replayLedger(subscription, replay)
}

function byPlace(a: ExplainedDelivery, b: ExplainedDelivery): number {
  return placeOf(a) < placeOf(b) ? -1 : 1
}
