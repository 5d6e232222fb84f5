import assert from 'node:assert/strict'
import { Event, type EventRecord } from '../core/event.ts'
import { type Outcome, outcomeNames } from '../core/outcome.ts'
import type { Delivery, Sink, SinkContext } from '../plugin/sink.ts'
import { createPluginContext } from './plugin-context.ts'
import { within } from './within.ts'

/** How the suite gets at the sink that it examines. */
export interface SinkUnderTest {
  /** A new sink whose far side takes everything. */
  create(): Sink | Promise<Sink>
  /** Deliveries per call at most, as declared; 1 when absent. */
  readonly batch?: number | undefined
  /** What arrived on the far side, as ids of events in order of arrival. Absent: it cannot be looked at. */
  arrived?(): readonly string[] | Promise<readonly string[]>
  /** A new sink whose far side never answers. Absent: it has none that could be silent. */
  createSilent?(): Sink | Promise<Sink>
  /** Why an attempt goes on after its abort, where that is on purpose: it then holds its key until it ends. */
  readonly outlastsAbort?: string | undefined
}

/** One promise of every sink, and how to see that it is kept. */
export interface SinkCase {
  readonly promise: string
  readonly ids: readonly string[]
  readonly needs?: readonly ('arrived' | 'createSilent')[] | undefined
  run(under: SinkUnderTest): Promise<void>
}

/** How long anything may take that should be immediate; only a hanging sink comes near. */
const limitMs = 10_000

const signal = new AbortController().signal
const contextOf = (more: Partial<SinkContext> = {}): SinkContext => ({
  ...createPluginContext({ name: 'sink' }),
  signal,
  ...more,
})

/** A delivery as the runtime makes it. */
export function deliveryOf(sequence: number, more: Partial<EventRecord> = {}, attempt = 1): Delivery {
  const record = { source: 'shop', id: `event-${sequence}`, type: 'order.placed', data: `{"n":${sequence}}`, ...more }
  return {
    event: new Event(Object.freeze({ ...record, sequence, appendedAt: 1_767_225_600_000 })),
    attempt,
    messageId: `msg_${sequence}`,
    context: Object.freeze({}),
  }
}

async function withSink(making: Sink | Promise<Sink>, run: (sink: Sink) => Promise<void>): Promise<void> {
  const sink = await making
  await sink.open?.(contextOf())
  try {
    await run(sink)
  } finally {
    await within(limitMs, 'the sink should close', Promise.resolve(sink.close?.()))
  }
}

/** Delivers; answers one outcome each. */
async function deliver(
  sink: Sink,
  deliveries: readonly Delivery[],
  context = contextOf(),
): Promise<readonly Outcome[]> {
  const answer = await within(limitMs, 'the sink should answer', Promise.resolve(sink.deliver(deliveries, context)))
  if (answer === undefined) return deliveries.map(() => ({ outcome: 'ack' }))
  assert.equal(answer.length, deliveries.length, 'one outcome for each delivery')
  for (const { outcome, reason } of answer) {
    assert.ok(outcomeNames.includes(outcome), `${outcome} is no outcome`)
    if (outcome !== 'ack') assert.ok(reason, 'what is not acknowledged has a reason')
  }
  return answer
}

async function acknowledges(sink: Sink, deliveries: readonly Delivery[]): Promise<void> {
  for (const answer of await deliver(sink, deliveries)) assert.equal(answer.outcome, 'ack', answer.reason)
}

const odd: readonly (readonly [string, Partial<EventRecord>])[] = [
  ['no data', { data: undefined }],
  ['null', { data: 'null' }],
  ['an escaped NUL and line breaks', { data: '"a\\u0000b\\r\\n"' }],
  ['a large number', { data: '{"n":12345678901234567890}' }],
  ['bytes', { data: Uint8Array.of(0, 255, 10, 13), datacontenttype: 'application/octet-stream' }],
  ['text in other scripts', { data: '"日本語"', subject: 'ключ\u202e', meta: '{"tenant":"ü","deep":{"a":[1]}}' }],
  ['200 KiB', { data: JSON.stringify('x'.repeat(200_000)) }],
]

/** Every promise of a sink. */
export const sinkCases: readonly SinkCase[] = [
  {
    promise: 'a sink answers one outcome for each delivery, or nothing for all',
    ids: [],
    run: (under) => withSink(under.create(), (sink) => acknowledges(sink, [deliveryOf(1)])),
  },
  {
    promise: 'a sink takes as many deliveries at once as it declares',
    ids: [],
    run: (under) =>
      withSink(under.create(), (sink) =>
        acknowledges(
          sink,
          Array.from({ length: under.batch ?? 1 }, (_, index) => deliveryOf(index + 1)),
        ),
      ),
  },
  {
    promise: 'what a sink acknowledged has arrived, in order',
    ids: ['G14'],
    needs: ['arrived'],
    run: (under) =>
      withSink(under.create(), async (sink) => {
        for (const sequence of [1, 2, 3]) {
          await acknowledges(sink, [deliveryOf(sequence)])
          assert.equal((await under.arrived?.())?.at(-1), `event-${sequence}`)
        }
      }),
  },
  {
    promise: 'a sink delivers again what it delivered before',
    ids: [],
    run: (under) =>
      withSink(under.create(), async (sink) => {
        await acknowledges(sink, [deliveryOf(1)])
        await acknowledges(sink, [deliveryOf(1, {}, 2)])
      }),
  },
  ...odd.map(
    ([name, record]): SinkCase => ({
      promise: `a sink delivers an event with ${name}`,
      ids: ['G4'],
      run: (under) => withSink(under.create(), (sink) => acknowledges(sink, [deliveryOf(1, record)])),
    }),
  ),
  {
    promise: 'a sink can be called several times at once, and each call gets its own answer',
    ids: [],
    run: (under) =>
      withSink(under.create(), async (sink) => {
        await Promise.all(Array.from({ length: 8 }, (_, index) => acknowledges(sink, [deliveryOf(index + 1)])))
      }),
  },
  {
    promise: 'an attempt ends soon after its abort, and never as acknowledged',
    ids: ['G18', 'G32'],
    needs: ['createSilent'],
    run: (under) =>
      withSink(under.createSilent!(), async (sink) => {
        const abort = new AbortController()
        const context = contextOf({ signal: abort.signal })
        // A rejection means `retry`, so it is an answer as well.
        const calling = (async () => sink.deliver([deliveryOf(1)], context))().then(
          (answer) => answer ?? [{ outcome: 'ack' as const }],
          () => [],
        )
        setImmediate(() => abort.abort())
        for (const { outcome } of await within(limitMs, 'the sink should end the attempt', calling)) {
          assert.notEqual(outcome, 'ack')
        }
      }),
  },
  {
    promise: 'a sink can be closed without a delivery, and twice',
    ids: ['G32'],
    run: (under) => withSink(under.create(), async (sink) => void (await sink.close?.())),
  },
  {
    promise: 'a sink that was made and never opened can be closed',
    ids: ['G32'],
    async run(under) {
      const sink = await under.create()
      await within(limitMs, 'the sink should close', Promise.resolve(sink.close?.()))
    },
  },
]

/** Why a case says nothing about a sink; undefined when it is to be run. */
export function whySinkSkipped({ needs = [] }: SinkCase, under: SinkUnderTest): string | undefined {
  if (needs.includes('arrived') && under.arrived === undefined) return 'its far side cannot be looked at'
  if (needs.includes('createSilent') && under.outlastsAbort !== undefined) return under.outlastsAbort
  if (needs.includes('createSilent') && under.createSilent === undefined)
    return 'it has no far side that could be silent'
  return undefined
}
