import { eventToJson } from '../../core/cloud-event.ts'
import { timeText } from '../../core/event.ts'
import { bodyOf } from '../../core/payload.ts'
import type { SchemaOutput } from '../../plugin/schema.ts'
import type { Batches, FetchedBatch } from '../../runtime/batches.ts'
import type { confirmCall, extendCall, fetchCall, releaseCall } from '../batch-shapes.ts'
import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'
import { requireWhole } from '../shown.ts'

/** `POST /v1/subscriptions/{name}/batches`: the next batch, as soon as there is one. */
export async function fetchBatch(call: Call): Promise<Answer> {
  requireWhole(call, 'a batch')
  const { limit, wait, lease } = call.body as SchemaOutput<typeof fetchCall>
  const batches = batchesOf(call)
  const ask = (signal?: AbortSignal) => batches.fetchBatch({ limit, waitMs: wait, leaseMs: lease, signal })
  const fetched = wait === undefined || wait === 0 ? await ask() : await whileWaited(call, ask)
  return fetched === undefined ? { status: 204 } : { status: 201, type: 'application/json', body: textOf(fetched) }
}

export async function confirmBatch(call: Call): Promise<Answer> {
  return json(await batchesOf(call).confirm(batchOf(call), call.body as SchemaOutput<typeof confirmCall>))
}

export async function releaseBatch(call: Call): Promise<Answer> {
  const { delay, ...rest } = call.body as SchemaOutput<typeof releaseCall>
  const { released } = await batchesOf(call).release(batchOf(call), { ...rest, delayMs: delay })
  return json({ confirmed: 0, released })
}

export async function extendBatch(call: Call): Promise<Answer> {
  const { receipt, lease } = call.body as SchemaOutput<typeof extendCall>
  const { extended, deadline } = await batchesOf(call).extend(batchOf(call), { receipt, leaseMs: lease })
  return json({ confirmed: 0, extended, deadline: timeText(deadline) })
}

function batchesOf({ context, params }: Call): Batches {
  return context.pipeline.batches(params[0] as string)
}

function batchOf({ params }: Call): string {
  return params[1] as string
}

/** Ends the wait when the client goes away or the server drains: what came then would be leased to nobody. */
async function whileWaited<T>({ request, context }: Call, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController()
  const end = (): void => over.abort()
  const signals = [context.draining, ...(request.gone === undefined ? [] : [request.gone])]
  for (const signal of signals) {
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  }
  try {
    return await ask(over.signal)
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', end)
  }
}

/** Events are copied as they are stored: nothing of them is parsed. */
function textOf({ batch, receipt, events, payload, deliveryCounts, remaining, deadline }: FetchedBatch): string {
  const bodies = events.map((event) => (payload === undefined ? eventToJson(event) : bodyOf(event, payload)))
  const sequences = events.map(({ sequence }) => sequence)
  const facts = JSON.stringify({ sequences, deliveryCounts, remaining, deadline: timeText(deadline) })
  return `{"batch":"${batch}","receipt":"${receipt}","events":[${bodies.join(',')}],${facts.slice(1)}`
}
