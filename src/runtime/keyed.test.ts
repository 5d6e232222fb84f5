import { describe, expect, test } from 'vitest'
import type { EventInput, Json } from '../core/event.ts'
import { createPipeline } from '../pipeline.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Stage, StageInput, StageResult } from '../plugin/stage.ts'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import type { Pipeline } from './api.ts'

/** A stage that keeps something by the subject of the event. */
const keyed = (stage: Partial<Stage> & Pick<Stage, 'process'>, isPure = false) =>
  defineStage({
    name: 'keyed',
    summary: 'For tests.',
    options: schema.strictObject({}).optional(),
    example: {},
    isPure,
    create: () => ({ keyOf: ({ event }) => event.subject, ...stage }),
  })()

async function world(
  use: ReturnType<typeof keyed>,
  retry = { attempts: 2, delays: ['1s'] },
  after: readonly ReturnType<typeof keyed>[] = [],
) {
  const platform = createVirtualPlatform()
  const sink = recordingSink()
  const errors: string[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) }
  const pipeline = createPipeline(
    {
      store: memory(),
      subscriptions: {
        work: {
          match: ['in.*'],
          stages: [{ use, retry, concurrency: 8 }, ...after.map((each) => ({ use: each, name: 'after', retry }))],
          sink,
        },
      },
    },
    { platform, log },
  )
  await pipeline.start()
  let n = 0
  const send = async (subject: string, data: Json = {}, more: Partial<EventInput> = {}): Promise<number> => {
    n += 1
    const { sequence } = await pipeline.publish({ source: 's', id: String(n), type: 'in.put', subject, data, ...more })
    await platform.advance(1)
    return sequence!
  }
  const stateOf = async (sequence: number) => (await pipeline.explain(sequence, 'work')).deliveries[0]!
  const keptOf = async (key: string): Promise<Json | undefined> => {
    await platform.advance(200)
    const [row] = await pipeline.store.kept('work', { stage: 'keyed', keys: [key] })
    return row?.value == null ? undefined : (JSON.parse(row.value) as Json)
  }
  return { platform, pipeline, send, sink, errors, stateOf, keptOf }
}

/** Everything that a delivery and its stage changed in one commit. */
function commitsOf(store: Store) {
  const commit = store.commit.bind(store)
  const seen: { readonly puts: readonly number[]; readonly keys: readonly string[]; readonly events: number }[] = []
  store.commit = (all) => {
    for (const { ledgers = [], events = [] } of all) {
      for (const { subscription, put = [], kept = [] } of ledgers) {
        if (subscription !== 'work') continue
        const puts = put.map(({ sequence }) => sequence)
        seen.push({ puts, keys: kept.map(({ key }) => key), events: events.length })
      }
    }
    return commit(all)
  }
  return seen
}

const waitHour = { outcome: 'retry', isWait: true, delay: '1h' } as const

const isAudited = async (pipeline: Pipeline) => (await pipeline.audit()).problems

describe('what a stage keeps', () => {
  // S1-68
  test('a keyOf that throws is a failed attempt of its event, and the others go on', async () => {
    const { send, sink, stateOf, platform, pipeline } = await world(
      keyed({
        keyOf({ event }) {
          if (event.subject === 'bad') throw new Error('no key here')
          return event.subject
        },
        process: ({ kept }) => ({ outcome: 'ack', keep: { value: Number(kept ?? 0) + 1 } }),
      }),
    )
    const bad = await send('bad')
    await send('good')
    await platform.advance(60_000)
    expect(sink.received.map(({ event }) => event.subject)).toEqual(['good'])
    expect(await stateOf(bad)).toMatchObject({ state: 'dead' })
    expect(JSON.stringify(await stateOf(bad))).toContain('no key here')
    expect(await isAudited(pipeline)).toEqual([])
  })

  test('a keyOf that answers no text is a failed attempt that says so', async () => {
    const { send, stateOf, platform } = await world(keyed({ keyOf: () => 5 as never, process: () => undefined }))
    const one = await send('a')
    await platform.advance(60_000)
    expect(JSON.stringify(await stateOf(one))).toContain('keyOf answered something else than text')
  })

  test('is what the stage itself keeps: one that has no key keeps nothing under the key of another', async () => {
    const first = keyed({ process: () => ({ outcome: 'ack', keep: { value: 1 } }) })
    const second = keyed({ keyOf: () => undefined, process: () => ({ outcome: 'ack', keep: { value: 2 } }) })
    const { send, stateOf, platform, keptOf } = await world(first, undefined, [second])
    const one = await send('a')
    await platform.advance(60_000)
    expect(JSON.stringify(await stateOf(one))).toContain('there is no key for it')
    expect(await keptOf('a')).toBe(1)
  })

  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  test.each<[string, unknown, string]>([
    ['a circle', { value: cycle }, 'circular'],
    ['nothing', { value: undefined }, 'not JSON'],
    ['a function', { value: () => 1 }, 'not JSON'],
    ['a due time that is no number', { value: 1, dueAt: Number.NaN }, 'dueAt'],
    ['a due time before 1970', { value: 1, dueAt: -1 }, 'dueAt'],
  ])('that cannot be stored (%s) is a failed attempt that says so', async (_, keep, says) => {
    const { send, sink, stateOf, platform, keptOf } = await world(
      keyed({
        process: ({ event }) =>
          event.subject === 'bad'
            ? ({ outcome: 'ack', keep } as StageResult)
            : { outcome: 'ack', keep: { value: { seen: true } } },
      }),
    )
    const bad = await send('bad')
    await send('good')
    await platform.advance(60_000)
    expect(JSON.stringify(await stateOf(bad))).toContain(says)
    expect(await stateOf(bad)).toMatchObject({ state: 'dead' })
    expect(sink.received.map(({ event }) => event.subject)).toEqual(['good'])
    expect(await keptOf('good')).toEqual({ seen: true })
  })

  test('without a key for the event is an error, not silence', async () => {
    const { send, stateOf, platform } = await world(
      keyed({ keyOf: () => undefined, process: () => ({ outcome: 'ack', keep: { value: 1 } }) }),
    )
    const one = await send('a')
    await platform.advance(60_000)
    expect(JSON.stringify(await stateOf(one))).toContain('there is no key for it')
  })

  // S1-67
  test('is the same before a restart as after it, and the object of the stage stays its own', async () => {
    const mine = { at: new Date(0), list: [1] }
    const seen: (Json | undefined)[] = []
    const { send } = await world(
      keyed({
        process({ kept }) {
          seen.push(kept)
          mine.list.push(2)
          return { outcome: 'ack', keep: { value: mine as unknown as Json } }
        },
      }),
    )
    await send('a')
    await send('a')
    expect(seen).toEqual([undefined, { at: '1970-01-01T00:00:00.000Z', list: [1, 2] }])
  })

  test('is stored with the step even where the stage is declared pure', async () => {
    const { send, keptOf, pipeline } = await world(
      keyed({ process: ({ kept }) => ({ outcome: 'ack', keep: { value: Number(kept ?? 0) + 1 } }) }, true),
    )
    const commits = commitsOf(pipeline.store)
    await send('a')
    await send('a')
    expect(await keptOf('a')).toBe(2)
    expect(commits.filter(({ keys }) => keys.length > 0).every(({ puts }) => puts.length > 0)).toBe(true)
  })

  test('is stored with a rejection and with a wait, and not with a failure', async () => {
    const answers: Record<string, StageResult> = {
      rejected: { outcome: 'reject', reason: 'no', keep: { value: 'rejected' } },
      waiting: { outcome: 'retry', isWait: true, delay: '1h', keep: { value: 'waiting' } },
      failed: { outcome: 'retry', keep: { value: 'failed' } },
    }
    const { send, keptOf } = await world(keyed({ process: ({ event }) => answers[event.subject!] }))
    for (const subject of Object.keys(answers)) await send(subject)
    expect([await keptOf('rejected'), await keptOf('waiting'), await keptOf('failed')]).toEqual([
      'rejected',
      'waiting',
      undefined,
    ])
  })
})

describe('what a stage keeps and the step that changed it', () => {
  const passed = keyed({ process: () => ({ outcome: 'ack' }) })
  const kept = { value: 'go' }
  test.each<[string, (input: StageInput, first: number) => StageResult]>([
    ['wakes a delivery', (_, first) => ({ outcome: 'ack', keep: kept, wake: [first] })],
    ['keeps what is due already', ({ now }) => ({ outcome: 'ack', keep: { ...kept, dueAt: now - 1 } })],
    ['waits, and keeps what is due', ({ now }) => ({ ...waitHour, keep: { ...kept, dueAt: now - 1 } })],
  ])('are in one commit when it %s', async (_, answer) => {
    // G9
    let first = 0
    const { send, pipeline, platform } = await world(
      keyed({
        process: (input) => (input.event.type === 'in.begin' ? waitHour : answer(input, first)),
        onDue: ({ value }) => ({ keep: { value } }),
      }),
      undefined,
      [passed],
    )
    first = await send('a', {}, { type: 'in.begin' })
    await platform.advance(1000)
    const commits = commitsOf(pipeline.store)
    const second = await send('a')
    await platform.advance(1000)
    expect(commits.find(({ keys }) => keys.length > 0)?.puts).toContain(second)
    expect(await isAudited(pipeline)).toEqual([])
  })
})

describe('a value that is due', () => {
  const dueSoon = (input: StageInput): StageResult => ({
    outcome: 'ack',
    keep: { value: input.event.data, dueAt: input.now + 1000 },
  })

  test('whose stage fails is asked again later, and the others are done meanwhile', async () => {
    let isIll = true
    const done: string[] = []
    const { send, platform, errors, keptOf } = await world(
      keyed({
        process: dueSoon,
        onDue({ key }) {
          if (key === 'bad' && isIll) throw new Error('not yet')
          done.push(key)
          return { keep: { value: null } }
        },
      }),
    )
    await send('bad', 1)
    await send('good', 2)
    await platform.advance(2000)
    expect(done).toEqual(['good'])
    expect(errors).toHaveLength(1)
    expect(await keptOf('bad')).toBe(1)
    isIll = false
    await platform.advance(30_000)
    expect(done).toEqual(['good', 'bad'])
    expect(await keptOf('bad')).toBeUndefined()
  })

  test.each<[string, unknown]>([
    ['a promise', Promise.resolve({})],
    ['what is not JSON', { keep: { value: () => 1 } }],
    ['an event that is not valid', { derive: [{ type: '' }] }],
    ['a number', 5],
    ['what is misspelt', { kep: { value: 1 } }],
    ['an event where a list is needed', { derive: { type: 'a' } }],
    ['a time that is no later, and would be due for ever', { keep: { value: 1, dueAt: 5 } }],
  ])('for which the stage answers %s stays as it is and is asked again', async (_, answer) => {
    const { send, platform, keptOf, errors } = await world(keyed({ process: dueSoon, onDue: () => answer as never }))
    await send('a', { n: 1 })
    await platform.advance(2000)
    expect(await keptOf('a')).toEqual({ n: 1 })
    expect(errors).toHaveLength(1)
  })

  test('whose key is held by a call that ignores its abort does not keep the pipeline from stopping', async () => {
    let isStuck = false
    const { send, platform, pipeline } = await world(
      keyed({
        process(input) {
          if (input.kept === undefined) return dueSoon(input)
          isStuck = true
          return new Promise<never>(() => undefined)
        },
      }),
    )
    await send('a', 1)
    await send('a', 2)
    expect(isStuck).toBe(true)
    await platform.advance(2000)
    let isStopped = false
    const stopping = pipeline.stop({ deadline: '1s' }).then(() => {
      isStopped = true
    })
    await platform.advance(60_000)
    expect(isStopped).toBe(true)
    await stopping
  })
})

describe('a wait of 0 ms', () => {
  // G9
  test('is stored with what the stage keeps, and the stage is called again at once, as the same attempt', async () => {
    const calls: [number, Json | undefined][] = []
    const { send, pipeline, stateOf, platform } = await world(
      keyed({
        process({ attempt, kept, context }) {
          calls.push([attempt, kept])
          const n = Number(kept ?? 0) + 1
          const next = { keep: { value: n }, context: { ...context, n } }
          return n < 4 ? { outcome: 'retry', isWait: true, delay: '0ms', ...next } : { outcome: 'ack', ...next }
        },
      }),
    )
    const commits = commitsOf(pipeline.store)
    const sequence = await send('a')
    await platform.settle()
    expect(calls).toEqual([
      [1, undefined],
      [1, 1],
      [1, 2],
      [1, 3],
    ])
    // Each in a commit of its own, with the row of the delivery.
    expect(commits.filter(({ puts, keys }) => puts.length > 0 && keys.length > 0)).toHaveLength(4)
    await platform.advance(200)
    expect(await stateOf(sequence)).toMatchObject({ state: 'delivered', attempts: [] })
    expect(await isAudited(pipeline)).toEqual([])
  })

  // S1-29
  test('and any other retry keep the context that the stage left', async () => {
    const seen: unknown[] = []
    const { send, platform } = await world(
      keyed({
        process({ context, attempt }) {
          seen.push(context)
          return attempt < 2 ? { outcome: 'retry', delay: '1s', context: { tried: attempt } } : undefined
        },
      }),
    )
    await send('a')
    await platform.advance(5000)
    expect(seen).toEqual([{}, { tried: 1 }])
  })

  test('may derive more than once for one event when each has an id', async () => {
    const { send, pipeline, platform } = await world(
      keyed({
        process({ kept }) {
          const n = Number(kept ?? 0) + 1
          const step = { derive: [{ type: 'out.step', id: `step-${n}` }], keep: { value: n } }
          return n < 3 ? { outcome: 'retry', isWait: true, delay: '0ms', ...step } : { outcome: 'discard', ...step }
        },
      }),
    )
    await send('a')
    await platform.advance(200)
    const { events } = await pipeline.store.query({ type: ['out.*'], limit: 10 })
    expect(events.map(({ id }) => id)).toEqual(['1/keyed/step-1', '1/keyed/step-2', '1/keyed/step-3'])
  })

  test('two derived events with one id are an error', async () => {
    const { send, stateOf, platform } = await world(
      keyed({ process: () => ({ outcome: 'ack', derive: [{ type: 'a', id: '1' }, { type: 'b' }] }) }),
    )
    const sequence = await send('a')
    await platform.advance(60_000)
    expect(JSON.stringify(await stateOf(sequence))).toContain('same id')
  })
})

describe('a delivery that waits', () => {
  /** `begin` waits for an hour or until something is kept; `go` keeps it and wakes. */
  const meeting = keyed({
    process({ event, kept }) {
      if (event.type === 'in.begin')
        return kept === undefined ? { outcome: 'retry', isWait: true, delay: '1h' } : { outcome: 'ack' }
      const { wake } = event.data as { wake: number[] }
      return { outcome: 'discard', reason: 'told', keep: { value: 'go' }, wake }
    },
  })

  test('is woken in the same commit as what woke it', async () => {
    const { send, pipeline, sink, platform, stateOf } = await world(meeting)
    const first = await send('a', {}, { type: 'in.begin' })
    await platform.advance(1000)
    expect(sink.received).toEqual([])
    const commits = commitsOf(pipeline.store)
    const go = await send('a', { wake: [first] })
    await platform.advance(100)
    expect(commits.find(({ keys }) => keys.length > 0)).toMatchObject({ puts: [first], keys: ['a'] })
    expect(sink.sequences).toEqual([first])
    await platform.advance(200)
    expect(await stateOf(go)).toMatchObject({ state: 'discarded', reason: 'told' })
    expect(await isAudited(pipeline)).toEqual([])
  })

  test('waking what does not wait changes nothing', async () => {
    const { send, pipeline, platform } = await world(meeting)
    const other = await send('b', { wake: [] })
    await send('a', { wake: [other, 4711] })
    await platform.advance(500)
    expect((await pipeline.subscription('work')).counters).toMatchObject({ discarded: 2, open: 0 })
    expect(await isAudited(pipeline)).toEqual([])
  })
})
