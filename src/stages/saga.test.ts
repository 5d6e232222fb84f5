import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventInput, Json } from '../core/event.ts'
import { formatIssue } from '../core/issues.ts'
import { createPipeline } from '../pipeline.ts'
import { createCatalogue } from '../plugin/catalogue.ts'
import { checkPipeline } from '../plugin/pipeline-config.ts'
import type { Stage, StageResult } from '../plugin/stage.ts'
import { memory } from '../stores/memory.ts'
import { testPipeline } from '../testing/kit/test-pipeline.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { stageInputOf } from '../testing/stage-cases.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { type CompensateInput, type SagaInput, type SagaState, StepRejected, saga, steps } from './saga.ts'
import { opened } from './stages.test-support.ts'

type Options = Parameters<typeof saga>[0]

/** A pipeline with one saga, and what its steps did. */
async function world(options: Omit<Options, 'start'> & { start?: string }) {
  const platform = createVirtualPlatform()
  const through = recordingSink()
  const told = recordingSink()
  const pipeline = createPipeline(
    {
      store: memory(),
      subscriptions: {
        orders: {
          match: ['order.placed', 'payment.*'],
          stages: [saga({ start: 'order.placed', ...options })],
          sink: through,
        },
        told: { match: ['order.completed', 'order.cancelled'], sink: told },
      },
    },
    { platform },
  )
  await pipeline.start()
  let n = 0
  return {
    platform,
    pipeline,
    async send(type: string, more: Partial<EventInput> = {}) {
      n += 1
      await pipeline.publish({ source: 's', id: String(n), type, subject: 'a', ...more })
      await platform.advance(200)
    },
    through: () => through.received.map(({ event, context }) => ({ id: event.id, context })),
    told: () => told.received.map(({ event }) => ({ type: event.type, subject: event.subject, data: event.data })),
    state: (key = 'a') => pipeline.state<SagaState>('orders').get(key),
    async delivery(sequence: number) {
      const [found] = (await pipeline.explain(sequence, 'orders')).deliveries
      return { state: found?.state, reason: found?.reason }
    },
    problems: async () => (await pipeline.audit()).problems,
  }
}

/** Three steps that note what is called; `does` may throw. */
function noting(does: (what: string, input: SagaInput) => unknown = () => undefined) {
  const calls: string[] = []
  const call = (what: string) => (input: SagaInput) => {
    calls.push(what)
    return does(what, input) ?? { by: what }
  }
  const list = ['reserve', 'charge', 'ship'].map((name) => ({
    name,
    run: call(name),
    compensate: call(`undo ${name}`),
  }))
  return { calls, list }
}
const failing = (name: string, error: () => Error) => (what: string) => {
  if (what === name) throw error()
}
const down = () => new Error('down')
const declined = () => new StepRejected('declined')
const minute = 60_000

// S3-13
describe('saga', () => {
  test('runs its steps in order, and the event goes on with their results; the end is an event', async () => {
    const { calls, list } = noting()
    const { send, through, told, state, problems } = await world({ steps: list, completed: 'order.completed' })
    await send('order.placed')
    expect(calls).toEqual(['reserve', 'charge', 'ship'])
    const results = { reserve: { by: 'reserve' }, charge: { by: 'charge' }, ship: { by: 'ship' } }
    expect(through()).toEqual([{ id: '1', context: { saga: results } }])
    expect(told()).toEqual([
      {
        type: 'order.completed',
        subject: 'a',
        data: { key: 'a', results, startedAt: expect.any(String), endedAt: expect.any(String) },
      },
    ])
    expect(await state()).toMatchObject({ status: 'completed', results })
    expect(await problems()).toEqual([])
  })

  test('a step that is rejected is not tried again; what was done is taken back in reverse and the event is discarded', async () => {
    const { calls, list } = noting(failing('ship', declined))
    const { send, through, told, delivery } = await world({ steps: list, compensated: 'order.cancelled' })
    await send('order.placed')
    expect(calls).toEqual(['reserve', 'charge', 'ship', 'undo charge', 'undo reserve'])
    expect(through()).toEqual([])
    expect(told()).toMatchObject([{ type: 'order.cancelled', data: { key: 'a', reason: 'ship: declined' } }])
    expect(await delivery(1)).toEqual({ state: 'discarded', reason: 'compensated: ship: declined' })
  })

  test('a step that throws is tried five times, and compensated too, because it may have worked', async () => {
    const { calls, list } = noting(failing('charge', down))
    const { send, platform, state } = await world({ steps: list })
    await send('order.placed')
    expect(await state()).toMatchObject({ status: 'running', step: 'charge', failures: 1, error: 'down' })
    await platform.advance(minute)
    expect(calls).toEqual(['reserve', ...Array(5).fill('charge'), 'undo charge', 'undo reserve'])
    expect(await state()).toMatchObject({ status: 'compensated', reason: 'charge: down' })
  })

  test('a compensation is tried again without end; where it is given a bound, the event is dead until it is put back', async () => {
    let isDown = true
    const { calls, list } = noting((what) => {
      if (what === 'ship') throw declined()
      if (what === 'undo charge' && isDown) throw down()
    })
    const bounded = list.map((step) => ({ ...step, compensateRetry: { attempts: 3 } }))
    const { send, platform, state, delivery, pipeline, problems } = await world({ steps: bounded })
    await send('order.placed')
    await platform.advance(minute)
    expect(await state()).toMatchObject({ status: 'stuck', step: 'charge', undo: ['reserve', 'charge'] })
    expect(await delivery(1)).toEqual({ state: 'dead', reason: 'stuck: compensating charge failed: down' })
    isDown = false
    await pipeline.redrive('orders', { all: true })
    await platform.advance(minute)
    expect(calls.slice(-2)).toEqual(['undo charge', 'undo reserve'])
    expect(await delivery(1)).toMatchObject({ state: 'discarded' })
    expect(await problems()).toEqual([])

    isDown = true
    const endless = await world({ steps: list })
    await endless.send('order.placed')
    await endless.platform.advance(1000 * minute)
    expect(await endless.state()).toMatchObject({ status: 'compensating', step: 'charge' })
    isDown = false
    await endless.platform.advance(6 * minute)
    expect(await endless.state()).toMatchObject({ status: 'compensated' })
  })

  test('a step is given the event, the results before it, its attempt and one key for all attempts', async () => {
    const seen: (SagaInput | CompensateInput)[] = []
    const { list } = noting((what, input) => {
      if (what.includes('charge')) seen.push(input)
      if (what === 'charge') throw input.attempt === 1 ? down() : declined()
    })
    const { send, platform } = await world({ steps: list })
    await send('order.placed', { data: { total: 3 } })
    await platform.advance(minute)
    const [first, second, undo] = seen as [SagaInput, SagaInput, CompensateInput]
    expect(first).toMatchObject({ key: 'a', attempt: 1, results: { reserve: { by: 'reserve' } } })
    expect(first.event.data).toEqual({ total: 3 })
    expect(second.attempt).toBe(2)
    expect(second.idempotencyKey).toBe(first.idempotencyKey)
    expect(undo).toMatchObject({ attempt: 1, result: undefined, reason: 'charge: declined' })
    expect(undo.idempotencyKey).not.toBe(first.idempotencyKey)
  })

  test('an attempt that takes too long is aborted and left behind, and so is one that is under way when the time of the saga is over', async () => {
    const aborted: unknown[] = []
    const hang = ({ signal }: SagaInput) =>
      new Promise(() => signal.addEventListener('abort', () => aborted.push((signal.reason as Error).message)))
    const slow = await world({ steps: [{ name: 'slow', run: hang, timeout: '20s', retry: { attempts: 1 } }] })
    await slow.send('order.placed')
    await slow.platform.advance(20_000)
    expect(aborted).toEqual(['timed out after 20s'])
    expect(await slow.state()).toMatchObject({ status: 'compensated', reason: 'slow: timed out after 20s' })
    const whole = await world({ steps: [{ name: 'slow', run: hang }], within: '5s' })
    await whole.send('order.placed')
    await whole.platform.advance(5000)
    expect(aborted).toHaveLength(2)
    expect(await whole.state()).toMatchObject({ status: 'compensated' })
  })

  test('a result that is no JSON is a failed attempt, and none is null', async () => {
    const { send, platform, state } = await world({
      steps: [
        { name: 'none', run: () => undefined },
        { name: 'big', run: () => 1n, retry: { attempts: 1 } },
      ],
    })
    await send('order.placed')
    await platform.advance(minute)
    expect(await state()).toMatchObject({
      results: { none: null },
      reason: expect.stringMatching(/^big: its result is not/),
    })
  })

  test('a second start event of the key is discarded, also after the end, until the state is forgotten', async () => {
    const { calls, list } = noting()
    const { send, delivery, platform, state } = await world({ steps: list, keep: '1h' })
    await send('order.placed')
    await send('order.placed')
    expect(await delivery(2)).toEqual({
      state: 'discarded',
      reason: 'event 1 began the saga of its key, which is completed',
    })
    await platform.advance(61 * minute)
    expect(await state()).toBeUndefined()
    await send('order.placed')
    expect(calls).toHaveLength(6)
  })
})

// S3-13
describe('a saga that waits for an event', () => {
  const waiting = (log: string[], more: object = {}) => [
    { name: 'reserve', run: () => log.push('reserve'), compensate: () => log.push('release') },
    { name: 'paid', event: 'payment.received', fail: 'payment.refused', timeout: '1h', ...more },
    { name: 'ship', run: ({ results }: SagaInput) => log.push(`ship ${JSON.stringify(results['paid'])}`) },
  ]

  test('goes on at once when it comes', async () => {
    const log: string[] = []
    const { send, state, delivery, platform } = await world({ steps: waiting(log) })
    await send('order.placed')
    await platform.advance(30 * minute)
    expect(await state()).toMatchObject({ status: 'waiting', step: 'paid', dueAt: expect.any(String) })
    await send('payment.received', { data: { amount: 3 } })
    expect(log).toEqual(['reserve', expect.stringContaining('"data":{"amount":3}')])
    expect(await state()).toMatchObject({ status: 'completed' })
    expect(await delivery(1)).toMatchObject({ state: 'delivered' })
    expect(await delivery(2)).toEqual({ state: 'discarded', reason: 'step paid of the saga of event 1 has it' })
  })

  test('takes one that came before the saga began, and forgets it when none begins', async () => {
    const log: string[] = []
    const { send, state, platform } = await world({ steps: waiting(log) })
    await send('payment.received')
    expect(await state()).toMatchObject({ status: 'expected' })
    await send('order.placed')
    expect(await state()).toMatchObject({ status: 'completed' })
    await send('payment.received', { subject: 'b' })
    await platform.advance(25 * 60 * minute)
    expect(await state('b')).toBeUndefined()
  })

  test('is compensated when it does not come in time, or another says that it will not', async () => {
    const log: string[] = []
    const { send, state, delivery, platform } = await world({ steps: waiting(log) })
    await send('order.placed')
    await platform.advance(61 * minute)
    expect(log).toEqual(['reserve', 'release'])
    await send('payment.received')
    expect(await delivery(2)).toEqual({ state: 'discarded', reason: 'it came too late: its saga is compensated' })
    await send('order.placed', { subject: 'b' })
    await send('payment.refused', { subject: 'b' })
    expect(await state('b')).toMatchObject({ status: 'compensated', reason: 'paid: payment.refused came' })
  })

  test.each([
    ['reject', 'dead', 'it came too late: its saga is compensated'],
    ['pass', 'delivered', undefined],
  ] as const)('one that comes too late is treated as said: %s', async (late, ended, reason) => {
    const { send, delivery, platform, through } = await world({ steps: waiting([]), late })
    await send('order.placed')
    await platform.advance(61 * minute)
    await send('payment.received')
    expect(await delivery(2)).toMatchObject({ state: ended, ...(reason !== undefined && { reason }) })
    expect(through().map(({ id }) => id)).toEqual(late === 'pass' ? ['2'] : [])
  })

  test('leaves events that no step waits for, and rejects those without a key', async () => {
    const { send, delivery } = await world({ steps: waiting([]) })
    await send('payment.reminded', { subject: undefined })
    expect(await delivery(1)).toEqual({ state: 'discarded', reason: 'no step of the saga waits for payment.reminded' })
    await send('order.placed', { subject: undefined })
    expect(await delivery(2)).toMatchObject({ state: 'dead', reason: expect.stringContaining('no key') })
  })
})

// S3-13
describe('a saga between two processes', () => {
  test('a step that does not end with the pipeline is cut off, which is an attempt; one that has ended is not', async () => {
    let calls = 0
    const seen: number[] = []
    const hang = ({ attempt }: SagaInput) => {
      seen.push(attempt)
      calls += 1
      return calls === 1 ? new Promise(() => undefined) : undefined
    }
    await using pipeline = await testPipeline({
      store: memory(),
      subscriptions: { orders: { stages: [saga({ start: 'order.placed', steps: [{ name: 'slow', run: hang }] })] } },
    })
    await pipeline.publish({ source: 's', id: '1', type: 'order.placed', subject: 'a' })
    await pipeline.idle()
    await pipeline.restart()
    await pipeline.clock.advance('10s')
    expect(seen).toEqual([1, 2])
    expect(await pipeline.deliveries('orders')).toMatchObject([{ state: 'delivered' }])
  })

  test('a step that is no longer there is a dead letter, which goes on when it is there again', async () => {
    const step = (name: string) => ({ name, run: () => name, compensate: () => undefined })
    const start = 'order.placed'
    const before = await opened(saga, { start, steps: [step('a'), step('b')] })
    const after = await opened(saga, { start, steps: [step('a')] })
    const answer = async (stage: Stage, kept?: Json) =>
      (await stage.process(stageInputOf({ subject: 'x' }, { kept }))) as StageResult
    let last = await answer(before)
    for (let n = 0; n < 3; n++) last = await answer(before, last.keep!.value)
    const kept = last.keep!.value
    expect(kept).toMatchObject({ step: 'b', isUnderWay: true })
    expect(await answer(after, kept)).toEqual({
      outcome: 'reject',
      reason: 'the saga has no step b any more, and this one is at it',
    })
    // What it begins with now makes no difference to one that has begun.
    const again = await opened(saga, { start: 'order.accepted', steps: [step('a'), step('b')] })
    expect(await answer(again, kept)).toMatchObject({
      outcome: 'retry',
      isWait: true,
      keep: { value: { failures: 1 } },
    })
  })

  test('an end whose event is refused is a dead letter, and no step is called again for it', async () => {
    let isRight = false
    const { calls, list } = noting()
    const { send, delivery, pipeline, platform, told } = await world({
      steps: list,
      completed: ({ key }) => (isRight ? { type: 'order.completed', subject: key } : { type: '' }),
    })
    await send('order.placed')
    await platform.advance(24 * 60 * minute)
    expect(await delivery(1)).toMatchObject({ state: 'dead' })
    isRight = true
    await pipeline.redrive('orders', { all: true })
    await platform.advance(minute)
    expect(told()).toMatchObject([{ type: 'order.completed', subject: 'a' }])
    expect(calls).toEqual(['reserve', 'charge', 'ship'])
  })
})

// S3-13
describe('the configuration of a saga', () => {
  const checked = (subscription: object) =>
    checkPipeline({ store: memory(), subscriptions: { a: subscription } }, createCatalogue([saga, memory]), {
      directory: '.',
      platform: createVirtualPlatform(),
    })
  const problems = (subscription: object) => {
    const found = checked(subscription)
    return found.ok ? [] : found.issues.map(formatIssue)
  }
  const step = { name: 'paid', event: 'payment.received', timeout: '1h' }
  const with_ = (...steps: unknown[]) => ({ stages: [{ use: 'saga', start: 'order.placed', steps }] })

  test('says what it cannot work beside', () => {
    expect(problems(with_(step))).toEqual([])
    expect(problems({ ...with_(step), ordering: 'none' })).toEqual([])
    expect(problems({ ...with_(step), ordering: 'key' })).toEqual([
      'subscriptions.a.ordering: the stage saga cannot work beside it: the event that a saga waits for would wait behind the one that began it',
    ])
    expect(problems({ ...with_(step), ttl: { default: '1h' } })).toHaveLength(1)
    expect(
      problems({ stages: [saga({ start: 'order.placed', steps: [step] })], coalesce: { window: '1s' } }),
    ).toHaveLength(1)
  })

  test('refuses a subscription that matches no event of its start or of a step', () => {
    expect(problems({ match: ['order.placed'], ...with_(step) })).toEqual([
      'subscriptions.a.match: the stage saga waits for payment.received, and nothing here matches it: add it, or the stage is never given one',
    ])
    expect(problems({ match: ['payment.*'], ...with_(step) })).toHaveLength(1)
    expect(problems({ match: ['order.*', 'payment.*'], ...with_(step) })).toEqual([])
    const behind = { stages: [{ name: 'rename', use: () => undefined }, ...with_(step).stages] }
    expect(problems({ match: ['order.placed'], ...behind })).toEqual([])
  })

  test('refuses types of outcomes that no event can have', () => {
    const named = (completed: string) => ({ stages: [{ ...with_(step).stages[0], completed }] })
    expect(problems(named('order.paid'))).toEqual([])
    for (const wrong of ['order paid', 'millrace.paid', '']) expect(problems(named(wrong))).not.toEqual([])
  })

  test('says what is wrong with a step', () => {
    expect(problems(with_())).toEqual(['subscriptions.a.stages[0].steps: this list is empty'])
    expect(problems(with_(step, step))).toEqual([
      'subscriptions.a.stages[0].steps[1]: another step is named paid: what a saga remembers is kept by name',
    ])
    expect(problems(with_({ name: 'paid', event: 'payment.received' }))).toEqual([
      'subscriptions.a.stages[0].steps[0]: it could wait for ever: give it a timeout, or the saga within',
    ])
    expect(problems(with_({ name: 'reserve', run: './reserve.ts' }))).toEqual([
      'subscriptions.a.stages[0].steps[0].run: a function is needed: write the saga in a module (use: ./order-saga.ts)',
    ])
    expect(problems(with_({ name: 'paid', event: 'payment.**', timeout: '1h' }))).toHaveLength(1)
    expect(problems(with_({ ...step, timout: '1h' }))).toEqual([expect.stringContaining('did you mean timeout?')])
  })

  test('steps of several sagas run side by side, and time enough is left for the slowest', () => {
    const found = checked({ stages: [saga({ start: 'x', steps: [{ name: 'slow', run: () => 1, timeout: '5m' }] })] })
    expect(found.ok && found.plan.subscriptions[0]!.stages[0]).toMatchObject({ concurrency: 16, timeoutMs: 310_000 })
  })
})

/** How a step behaves, whatever process calls it. */
const behaviour = fc.constantFrom(
  'works',
  'works',
  'works',
  'loses its first answer',
  'fails once',
  'always fails',
  'is rejected',
)
/** When the process ends. */
const crash = fc.oneof(
  fc.record({ call: fc.integer({ min: 1, max: 12 }), isAfterEffect: fc.boolean() }),
  fc.record({
    point: fc.constantFrom('after-stage-before-commit' as const, 'after-stage-commit' as const),
    nth: fc.integer({ min: 1, max: 12 }),
  }),
  fc.constant('stopped' as const),
)

// S3-13
test('wherever the process ends, however often, a saga ends with all of its effects or with none of them, and says so once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(behaviour, { minLength: 3, maxLength: 3 }),
      fc.array(crash, { maxLength: 4 }),
      async (behaviours, crashes) => {
        const effects = new Set<string>()
        let calls = 0
        let ending: { readonly call: number; readonly isAfterEffect: boolean } | undefined
        const seen = new Map<string, number>()
        const call = (name: string, does: string, effect: () => void): void => {
          calls += 1
          const times = (seen.get(name) ?? 0) + 1
          seen.set(name, times)
          const isLast = ending?.call === calls
          if (isLast && !ending!.isAfterEffect) {
            pipeline.crash()
            return
          }
          if (does === 'is rejected') throw declined()
          if (does === 'always fails' || (does === 'fails once' && times === 1)) throw down()
          effect()
          if (isLast) pipeline.crash()
          if (does === 'loses its first answer' && times === 1) throw down()
        }
        const list = behaviours.map((does, n) => ({
          name: `s${n}`,
          run: () => call(`s${n}`, does, () => void effects.add(`s${n}`)),
          compensate: () => call(`undo s${n}`, 'fails once', () => void effects.delete(`s${n}`)),
        }))
        await using pipeline = await testPipeline({
          store: memory(),
          subscriptions: {
            orders: {
              match: ['order.placed'],
              stages: [saga({ start: 'order.placed', steps: list, completed: 'all', compensated: 'none' })],
            },
          },
        })
        await pipeline.publish({ source: 's', id: '1', type: 'order.placed', subject: 'a' })
        for (const each of crashes) {
          calls = 0
          ending = undefined
          if (each === 'stopped') {
            await pipeline.restart()
            continue
          }
          if ('call' in each) ending = each
          else pipeline.crashAt(each.point, { nth: each.nth })
          for (let n = 0; n < 20 && !pipeline.hasCrashed; n++) await pipeline.clock.advance('1m')
          // The saga may have ended before it came to that.
          if (!pipeline.hasCrashed) break
          await pipeline.restart()
        }
        ending = undefined
        await pipeline.clock.advance('1h')
        const [end, ...more] = (await pipeline.derived('orders')).map(({ type }) => type)
        expect(more).toEqual([])
        expect(effects.size).toBe(end === 'all' ? 3 : 0)
        expect(['all', 'none']).toContain(end)
      },
    ),
    { numRuns: 60 },
  )
})

test('steps() knows the results of the steps before', () => {
  interface Order {
    readonly total: number
  }
  const chain = steps<Order>()
    .step('reserve', { run: async ({ event }) => ({ stock: event.data.total }) })
    .waitFor('paid', { event: 'payment.received', timeout: '1h' })
    .step('ship', {
      run: ({ results }) => results.reserve.stock + results.paid.sequence,
      compensate: ({ result }) => result?.toFixed(),
    })
  expect(chain.list.map(({ name }) => name)).toEqual(['reserve', 'paid', 'ship'])
  // @ts-expect-error no step before has this name
  steps().step('a', { run: ({ results }) => results.b })
  expect(saga.declaration.options.safeParse({ start: 'order.placed', steps: chain }).success).toBe(true)
})
