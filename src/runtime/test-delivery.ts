import { AppError, messageOf } from '../core/errors.ts'
import { Event } from '../core/event.ts'
import { messageId } from '../core/message-id.ts'
import type { Outcome } from '../core/outcome.ts'
import { DeliveryView, Flight } from './flight.ts'
import type { Lane } from './lane.ts'
import type { TestDelivery } from './run-time/face.ts'
import { SinkCall } from './sink-attempt.ts'

/** The event of a test: its type is the engine's own, and it says in its data and its attributes what it is. */
function testEvent({ name, around: { platform } }: Lane): Event {
  return new Event({
    source: `millrace:/${name}`,
    id: platform.id(),
    type: 'millrace.test',
    data: JSON.stringify({ test: true, subscription: name }),
    meta: JSON.stringify({ test: true }),
    // It has no place in the log.
    sequence: 0,
    appendedAt: platform.clock.now(),
  })
}

/**
 * Sends a test through the subscription's own sink, with its payload, timeout and signature, also while it is paused.
 * Nothing of it is stored or counted, and it changes nothing: neither the breaker nor the state of the subscription.
 */
export async function sendTest(lane: Lane): Promise<TestDelivery> {
  const { sink, context } = lane.setup
  const { platform } = lane.around
  if (sink === undefined || lane.pull !== undefined)
    throw new AppError(
      'state-conflict',
      `testing ${lane.name} failed: it sends nothing by itself, clients fetch from it`,
    )
  const flight = new Flight(testEvent(lane), undefined, 'pending')
  flight.attempt = 1
  const identify = ({ source, id }: Event): string => messageId(platform.digest, lane.name, source, id)
  const delivery = new DeliveryView(flight, identify, lane.policy.payload, { isTest: true })
  const at = platform.clock.now()
  const began = platform.clock.monotonic()
  const call = lane.calls.begin()
  lane.takePlace()
  const tooLate = new Promise<never>((_, reject) => {
    lane.calls.watch(call, () => {
      lane.abandoned.begin([])
      reject(new Error('it ignores its abort'))
    })
  })
  const answer = (async () => sink.deliver([delivery], new SinkCall(context, call)))()
  const end = (): void => {
    lane.calls.end(call)
    if (call.isAbandoned) lane.abandoned.end([])
    lane.givePlace()
    lane.around.places.callWaiting()
  }
  answer.then(end, end)
  let outcome: Outcome
  try {
    const outcomes = await Promise.race([answer, tooLate])
    outcome = outcomes?.[0] ?? { outcome: 'ack' }
  } catch (error) {
    const reason = call.hasTimedOut ? `timed out after ${lane.policy.timeoutMs} ms` : messageOf(error)
    outcome = { outcome: 'retry', reason }
  }
  const { reason, detail } = outcome
  return {
    at,
    durationMs: Math.round(platform.clock.monotonic() - began),
    step: 'sink',
    outcome: outcome.outcome,
    messageId: delivery.messageId,
    ...(reason !== undefined && { reason }),
    ...(detail !== undefined && { detail }),
  }
}
