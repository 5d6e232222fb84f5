import assert from 'node:assert/strict'
import { deepFreeze, Event, type EventRecord, type Json } from '../core/event.ts'
import { outcomeNames } from '../core/outcome.ts'
import type { Stage, StageInput, StageResult } from '../plugin/stage.ts'
import { createPluginContext } from './plugin-context.ts'
import { within } from './within.ts'

/** How the suite gets at the stage that it examines. */
export interface StageUnderTest {
  /** A new stage. */
  create(): Stage | Promise<Stage>
  /** An event that it acknowledges. */
  readonly event: Partial<EventRecord>
  /** What it has kept for the events, where it acknowledges only then. Absent: nothing. */
  readonly kept?: Json | undefined
  /** As declared. */
  readonly isPure?: boolean | undefined
  /** A new stage whose far side never answers. Absent: it has none. */
  createSilent?(): Stage | Promise<Stage>
}

/** One promise of every stage, and how to see that it is kept. */
export interface StageCase {
  readonly promise: string
  readonly ids: readonly string[]
  readonly needs?: 'createSilent' | undefined
  run(under: StageUnderTest): Promise<void>
}

/** How long anything may take that should be immediate; only a hanging stage comes near. */
const limitMs = 10_000

/** What the runtime gives a stage: a frozen event and context. */
export function stageInputOf(event: Partial<EventRecord> = {}, more: Partial<StageInput> = {}): StageInput {
  const record = { source: 'shop', id: 'event-1', type: 'order.placed', data: '{"n":1}', ...event }
  return {
    event: new Event(Object.freeze({ ...record, sequence: 1, appendedAt: 1_767_225_600_000 })),
    context: deepFreeze<Record<string, Json>>({ kept: { by: 'the stage before' } }),
    attempt: 1,
    now: 1_767_225_600_000,
    signal: new AbortController().signal,
    log: createPluginContext().log,
    ...more,
  }
}

function inputOf({ event, kept }: StageUnderTest, more: Partial<StageInput> = {}): StageInput {
  return stageInputOf(event, { ...(kept !== undefined && { kept: deepFreeze(structuredClone(kept)) }), ...more })
}

async function withStage(making: Stage | Promise<Stage>, run: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = await making
  await stage.open?.(createPluginContext({ name: 'stage' }))
  try {
    await run(stage)
  } finally {
    await within(limitMs, 'the stage should close', Promise.resolve(stage.close?.()))
  }
}

/** Runs one attempt as the runtime does and answers what it came to. */
async function attempt(stage: Stage, input: StageInput): Promise<StageResult> {
  const answer = await within(limitMs, 'the stage should answer', (async () => stage.process(input))())
  const result = answer ?? { outcome: 'ack' as const }
  assert.ok(outcomeNames.includes(result.outcome), `${result.outcome} is no outcome`)
  if (result.outcome !== 'ack') assert.ok(result.reason, 'what is not acknowledged has a reason')
  if (result.context !== undefined)
    assert.ok(JSON.stringify(result.context).startsWith('{'), 'a context is a JSON object')
  return result
}

const odd: readonly (readonly [string, Partial<EventRecord>])[] = [
  ['no data', { data: undefined }],
  ['null', { data: 'null' }],
  ['a list', { data: '[1,[2,{"a":null}]]' }],
  ['a number', { data: '1e300' }],
  ['keys of the language itself', { data: '{"__proto__":{"a":1},"constructor":"x"}' }],
  ['bytes', { data: Uint8Array.of(0, 255, 10, 13), datacontenttype: 'application/octet-stream' }],
  ['text in other scripts', { data: '"日本語"', subject: 'ключ\u202e', meta: '{"tenant":"ü","deep":{"a":[1]}}' }],
  ['200 KiB', { data: JSON.stringify('x'.repeat(200_000)) }],
]

/** Every promise of a stage. */
export const stageCases: readonly StageCase[] = [
  {
    promise: 'a stage acknowledges the event it is made for, and closes',
    ids: ['S1-16'],
    run: (under) =>
      withStage(under.create(), async (stage) => {
        const { outcome, reason } = await attempt(stage, inputOf(under))
        assert.equal(outcome, 'ack', reason)
      }),
  },
  {
    promise: 'a stage leaves the event and the context it is given as they are',
    ids: ['S1-34'],
    run: (under) =>
      withStage(under.create(), async (stage) => {
        const input = inputOf(under)
        const before = JSON.stringify([input.event.record, input.event.data, input.event.meta, input.context])
        await attempt(stage, input)
        const after = JSON.stringify([input.event.record, input.event.data, input.event.meta, input.context])
        assert.equal(after, before)
      }),
  },
  {
    promise: 'a stage answers the same when an attempt is repeated after a crash',
    ids: ['K6'],
    async run(under) {
      const answers: StageResult[] = []
      for (let start = 0; start < 2; start++)
        await withStage(under.create(), async (stage) => {
          answers.push(await attempt(stage, inputOf(under)))
        })
      assert.deepEqual(answers[1], answers[0])
    },
  },
  {
    promise: 'a stage that is pure derives nothing: what it answers is not stored',
    ids: [],
    run: (under) =>
      withStage(under.create(), async (stage) => {
        const { derive } = await attempt(stage, inputOf(under))
        if (under.isPure === true) assert.equal(derive, undefined)
      }),
  },
  ...odd.map(
    ([name, record]): StageCase => ({
      promise: `a stage answers an event with ${name} by an outcome, not by an error`,
      ids: ['G4'],
      run: (under) =>
        withStage(under.create(), async (stage) => {
          await attempt(stage, stageInputOf(record))
        }),
    }),
  ),
  {
    promise: 'a stage can be called several times at once, and each call gets its own answer',
    ids: [],
    run: (under) =>
      withStage(under.create(), async (stage) => {
        const inputs = Array.from({ length: 8 }, () => inputOf(under))
        await Promise.all(inputs.map((input) => attempt(stage, input)))
      }),
  },
  {
    promise: 'an attempt ends soon after its abort, and never as acknowledged',
    ids: ['G18', 'G32'],
    needs: 'createSilent',
    run: (under) =>
      withStage(under.createSilent!(), async (stage) => {
        const abort = new AbortController()
        const calling = (async () => stage.process(inputOf(under, { signal: abort.signal })))().then(
          (answer) => answer ?? { outcome: 'ack' as const },
          () => ({ outcome: 'retry' as const }),
        )
        setImmediate(() => abort.abort())
        const { outcome } = await within(limitMs, 'the stage should end the attempt', calling)
        assert.notEqual(outcome, 'ack')
      }),
  },
  {
    promise: 'a stage can be closed without an event, and twice',
    ids: ['G32'],
    run: (under) => withStage(under.create(), async (stage) => void (await stage.close?.())),
  },
  {
    promise: 'a stage that was made and never opened can be closed',
    ids: ['G32'],
    async run(under) {
      const stage = await under.create()
      await within(limitMs, 'the stage should close', Promise.resolve(stage.close?.()))
    },
  },
]

/** Why a case says nothing about a stage; undefined when it is to be run. */
export function whyStageSkipped({ needs }: StageCase, under: StageUnderTest): string | undefined {
  return needs === 'createSilent' && under.createSilent === undefined
    ? 'it has no far side that could be silent'
    : undefined
}
