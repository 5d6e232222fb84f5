import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { afterCall, beginCall, beginSaga, lapse, receive, resume, type SagaAnswer, sagaMove } from './saga.ts'
import {
  type ExpectedSaga,
  hasEnded,
  inOrder,
  type Saga,
  type SagaPlan,
  type SagaSignal,
  type SagaStepPlan,
} from './saga-state.ts'

const second = 1000
const t0 = 1_767_225_600_000
const every = (attempts: number) => ({
  attempts,
  delaysMs: [second],
  backoff: { baseMs: second, factor: 2, maxMs: second },
  jitter: 0,
  retryAfterMaxMs: second,
})
const run = (name: string, more: Partial<SagaStepPlan> = {}): SagaStepPlan => ({
  name,
  kind: 'run',
  isCompensable: true,
  retry: every(2),
  compensateRetry: every(3),
  ...more,
})
const wait = (name: string, more: Partial<SagaStepPlan> = {}): SagaStepPlan =>
  run(name, { kind: 'wait', waitMs: 10 * second, ...more })
const start = { sequence: 7, source: 'shop', id: '1', type: 'order.placed' }
const paid: SagaSignal = {
  sequence: 9,
  id: 'p1',
  type: 'payment.received',
  time: '2026-01-01T00:00:00Z',
  data: { amount: 3 },
}
const to = (...steps: readonly string[]) => steps.map((step) => ({ step, isFailure: false }))
const done = (result: number): SagaAnswer => ({ kind: 'done', result })
const failed: SagaAnswer = { kind: 'failed', error: 'down' }
const rejected: SagaAnswer = { kind: 'rejected', error: 'no' }

/** A saga of these steps, taken along by answers; time stands still unless it is moved. */
function play(plan: SagaPlan, before?: ExpectedSaga) {
  let now = t0
  let saga = beginSaga(plan, start, now, before)
  const at = {
    get saga() {
      return saga
    },
    /** What it is at, begun where it is to be called. */
    move() {
      const move = sagaMove(plan, saga, now)
      return move.kind === 'begin' ? sagaMove(plan, beginCall(saga), now) : move
    },
    answer(...answers: readonly SagaAnswer[]) {
      for (const answer of answers) {
        expect(sagaMove(plan, saga, now)).toEqual({ kind: 'begin' })
        saga = afterCall(plan, beginCall(saga), answer, now, () => 0)
      }
      return at
    },
    later(ms: number) {
      now += ms
      saga = lapse(plan, saga, now)
      return at
    },
    receives(...steps: readonly string[]) {
      const received = receive(plan, saga, paid, to(...steps), now)
      if (received.kind === 'taken') saga = received.state as Saga
      return received
    },
    resume() {
      saga = resume(saga, now)
      return at
    },
    what: () => saga.history.map(({ what, step }) => (step === undefined ? what : `${step} ${what}`)),
  }
  return at
}

const three: SagaPlan = { steps: [run('reserve'), run('charge'), run('ship')] }

// S3-13
describe('a saga', () => {
  test('runs its steps in order, keeps their results, and completes', () => {
    const saga = play(three)
    expect(saga.move()).toMatchObject({ kind: 'run', step: { name: 'reserve' }, attempt: 1 })
    saga.answer(done(1), done(2))
    expect(saga.move()).toMatchObject({ kind: 'run', step: { name: 'ship' } })
    expect(saga.answer(done(3)).saga).toMatchObject({
      status: 'completed',
      results: { reserve: 1, charge: 2, ship: 3 },
    })
    expect(saga.saga.step).toBeUndefined()
    expect(saga.move()).toEqual({ kind: 'end' })
    expect(saga.what()).toEqual(['started', 'reserve done', 'charge done', 'ship done', 'completed'])
  })

  test('compensates what was begun from the end when a step fails for good, its own effect being unknown', () => {
    const saga = play(three).answer(done(1), failed)
    expect(saga.move()).toEqual({ kind: 'wait', untilMs: t0 + second })
    saga.later(second)
    expect(saga.move()).toMatchObject({ kind: 'run', attempt: 2 })
    saga.answer(failed)
    expect(saga.saga).toMatchObject({ status: 'compensating', reason: 'charge: down', undo: ['reserve', 'charge'] })
    expect(saga.move()).toMatchObject({ kind: 'compensate', step: { name: 'charge' }, attempt: 1 })
    saga.answer(done(0))
    expect(saga.move()).toMatchObject({ kind: 'compensate', step: { name: 'reserve' } })
    expect(saga.answer(done(0)).saga).toMatchObject({ status: 'compensated', reason: 'charge: down', undo: [] })
  })

  test('does not compensate the step whose first attempt was rejected, and does after an attempt that may have worked', () => {
    expect(play(three).answer(done(1), rejected).saga.undo).toEqual(['reserve'])
    expect(play(three).answer(done(1), failed).later(second).answer(rejected).saga.undo).toEqual(['reserve', 'charge'])
  })

  test('compensates a step that was under way when its time was over, and not one that was still to be called', () => {
    const plan = { ...three, timeoutMs: second }
    const saga = beginSaga(plan, start, t0)
    expect(lapse(plan, saga, t0 + second)).toMatchObject({ status: 'compensated' })
    expect(lapse(plan, beginCall(saga), t0 + second)).toMatchObject({ status: 'compensating', undo: ['reserve'] })
    expect(lapse(plan, saga, t0 + second - 1)).toBe(saga)
  })

  test('passes over steps that nothing undoes', () => {
    const plan = { steps: [run('a'), run('b', { isCompensable: false }), run('c')] }
    const saga = play(plan).answer(done(1), done(2), rejected)
    expect(saga.move()).toMatchObject({ kind: 'compensate', step: { name: 'a' } })
    const none = { steps: [run('a', { isCompensable: false })] }
    expect(play(none).answer(rejected).saga.status).toBe('compensated')
  })

  test('tries a compensation again, is stuck when it fails for good, and goes on there when it is resumed', () => {
    const saga = play(three).answer(done(1), rejected, failed)
    expect(saga.move()).toEqual({ kind: 'wait', untilMs: t0 + second })
    saga.later(second).answer(failed).later(second).answer(failed)
    expect(saga.saga).toMatchObject({ status: 'stuck', step: 'reserve', error: 'down', undo: ['reserve'] })
    expect(saga.move()).toEqual({ kind: 'end' })
    expect(saga.resume().move()).toMatchObject({ kind: 'compensate', step: { name: 'reserve' }, attempt: 1 })
    expect(saga.answer(rejected).saga.status).toBe('stuck')
    expect(saga.resume().answer(done(0)).saga.status).toBe('compensated')
  })

  test('is not begun forward again when its time is over, and compensates without a deadline', () => {
    const plan = { ...three, timeoutMs: 5 * second }
    const slow = play(plan).answer(done(1)).later(4900).answer(failed)
    expect(slow.saga).toMatchObject({ status: 'compensating', reason: 'charge: down; the time of the saga is over' })
    expect(slow.later(60 * second).answer(failed).saga).toMatchObject({ status: 'compensating', failures: 1 })
    const between = beginCall(beginSaga(plan, start, t0))
    expect(afterCall(plan, between, done(1), t0 + 5 * second, () => 0)).toMatchObject({ undo: ['reserve'] })
    const last = { steps: [run('only')], timeoutMs: second }
    expect(afterCall(last, beginCall(beginSaga(last, start, t0)), done(1), t0 + second, () => 0).status).toBe(
      'completed',
    )
  })

  test('remembers the newest transitions only', () => {
    const plan = { steps: [run('a', { compensateRetry: every(Number.POSITIVE_INFINITY) })] }
    const saga = play(plan).answer(failed).later(second).answer(rejected)
    for (let n = 0; n < 100; n++) saga.later(second).answer(failed)
    expect(saga.saga.history).toHaveLength(50)
    expect(saga.saga).toMatchObject({ failures: 100, reason: 'a: no' })
  })

  test('is stored with what people look for first in front', () => {
    const saga = play(three).answer(done(1), failed).saga
    const stored = JSON.parse(JSON.stringify(inOrder(JSON.parse(JSON.stringify(saga)) as Saga))) as object
    expect(Object.keys(stored).slice(0, 3)).toEqual(['status', 'step', 'failures'])
    expect(stored).toEqual(JSON.parse(JSON.stringify(saga)))
  })

  test('does not run again what it has done, when the steps are put in another order under it', () => {
    const [a, b, pay] = [run('a'), run('b'), wait('pay')] as const
    const before = play({ steps: [a, pay, b] })
    before.answer(done(1))
    const moved: SagaPlan = { steps: [pay, a, b] }
    const received = receive(moved, before.saga, paid, to('pay'), t0)
    const saga = received.kind === 'taken' ? (received.state as Saga) : before.saga
    expect([saga.step, saga.undo]).toEqual(['b', ['a', 'pay']])
    const begun = beginCall(saga)
    const end = afterCall(moved, begun, done(2), t0, () => 0)
    expect([end.status, Object.keys(end.results)]).toEqual(['completed', ['a', 'pay', 'b']])
  })

  test('does nothing with a step that its plan has no more, or has as something else', () => {
    const saga = beginSaga(three, start, t0)
    expect(sagaMove({ steps: [run('charge')] }, saga, t0)).toEqual({ kind: 'lost', step: 'reserve' })
    expect(sagaMove({ steps: [wait('reserve')] }, saga, t0)).toEqual({ kind: 'lost', step: 'reserve' })
    const waiting = beginSaga({ steps: [wait('paid')] }, start, t0)
    expect(sagaMove({ steps: [run('paid')] }, waiting, t0)).toEqual({ kind: 'lost', step: 'paid' })
    const back = play(three).answer(done(1), done(2), rejected).saga
    const fewer = { steps: [run('reserve'), run('ship')] }
    expect(sagaMove(fewer, back, t0)).toEqual({ kind: 'lost', step: 'charge' })
  })
})

// S3-13
describe('a step that waits', () => {
  const plan: SagaPlan = { steps: [run('reserve'), wait('paid'), run('ship')] }

  test('goes on with its event, which is its result', () => {
    const saga = play(plan).answer(done(1))
    expect(saga.saga).toMatchObject({ status: 'waiting', step: 'paid' })
    expect(saga.move()).toEqual({ kind: 'wait', untilMs: t0 + 10 * second })
    expect(saga.later(9 * second).receives('paid')).toMatchObject({ kind: 'taken', step: 'paid' })
    expect(saga.saga).toMatchObject({ status: 'running', step: 'ship', signals: {} })
    expect(saga.saga.results['paid']).toMatchObject({ sequence: 9, data: { amount: 3 } })
    expect(saga.answer(rejected).move()).toMatchObject({ kind: 'compensate', step: { name: 'paid' } })
  })

  test('finds an event that came before it, or before the start', () => {
    const saga = play(plan)
    expect(saga.receives('paid').kind).toBe('taken')
    expect(saga.answer(done(1)).saga.step).toBe('ship')
    const early = receive(plan, undefined, paid, to('paid'), t0)
    expect(early).toMatchObject({ kind: 'taken', state: { status: 'expected' } })
    const before = (early as { state: ExpectedSaga }).state
    expect(receive(plan, before, paid, to('paid'), t0)).toMatchObject({ kind: 'late' })
    expect(play(plan, before).answer(done(1)).saga.step).toBe('ship')
  })

  test('is over when its time is, or that of the saga: what comes then is late', () => {
    const saga = play(plan)
      .answer(done(1))
      .later(10 * second)
    expect(saga.saga).toMatchObject({
      status: 'compensating',
      step: 'reserve',
      reason: 'paid: what it waits for did not come in time',
    })
    expect(saga.receives('paid')).toEqual({ kind: 'late', reason: 'its saga is compensating' })
    const whole = play({ steps: [wait('paid', { waitMs: undefined })], timeoutMs: second })
    expect(whole.move()).toEqual({ kind: 'wait', untilMs: t0 + second })
    expect(whole.later(second).saga.status).toBe('compensated')
    expect(play({ steps: [wait('paid')], timeoutMs: second }).move()).toEqual({ kind: 'wait', untilMs: t0 + second })
    expect(play({ steps: [wait('paid', { waitMs: undefined })] }).move()).toEqual({ kind: 'wait', untilMs: undefined })
    expect(play({ steps: [wait('paid', { waitMs: undefined })] }).later(second).saga.status).toBe('waiting')
  })

  test('fails when an event says that it will not come', () => {
    const saga = play(plan).answer(done(1)).saga
    const refused = { ...paid, type: 'payment.refused' }
    const received = receive(plan, saga, refused, [{ step: 'paid', isFailure: true }], t0)
    expect(received).toMatchObject({
      state: { status: 'compensating', reason: 'paid: payment.refused came', undo: ['reserve'] },
    })
  })

  test('takes one event, and leaves the next one to a later step that waits for the same', () => {
    const saga = play({ steps: [wait('first'), wait('second'), run('end')] })
    saga.receives('first', 'second')
    expect(saga.saga.step).toBe('second')
    saga.receives('first', 'second')
    expect(saga.saga.step).toBe('end')
    expect(saga.receives('first', 'second')).toEqual({
      kind: 'late',
      reason: 'step first, second has its event, or is over',
    })
  })

  test('may have the name of what every object has', () => {
    const saga = play({ steps: [wait('constructor')] })
    expect(saga.saga.status).toBe('waiting')
    expect(saga.receives('constructor').kind).toBe('taken')
    expect(saga.saga.status).toBe('completed')
  })
})

/** What happens to a saga from outside, one thing after another. */
const happening = fc.oneof(
  { weight: 2, arbitrary: fc.constant('works' as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'fails' as const,
      'fails after its effect' as const,
      'is rejected' as const,
      'crash before' as const,
      'crash after its effect' as const,
      'time' as const,
      'event' as const,
      'refusal' as const,
    ),
  },
)
const anyPlan = fc.record({
  steps: fc
    .array(
      fc.record({
        waits: fc.nat(3).map((n) => n === 0),
        isCompensable: fc.boolean(),
        attempts: fc.integer({ min: 1, max: 3 }),
      }),
      {
        minLength: 1,
        maxLength: 5,
      },
    )
    .map((kinds) =>
      kinds.map(({ waits, isCompensable, attempts }, n) =>
        (waits ? wait : run)(`s${n}`, { isCompensable, retry: every(attempts) }),
      ),
    ),
  timeoutMs: fc.option(fc.integer({ min: 1, max: 20 * second }), { nil: undefined }),
})

// S3-13
test('whatever happens and wherever it is cut off, a saga ends whole or with all that may have worked taken back in reverse', () => {
  fc.assert(
    fc.property(anyPlan, fc.array(happening, { maxLength: 40 }), (plan, happenings) => {
      let now = t0
      /** The effects that are there. */
      const effects = new Set<string>()
      const undone: string[] = []
      /** Steps that cannot have had an effect. */
      const spared = new Set(plan.steps.map(({ name }) => name))
      /** A stored value comes back as JSON. */
      let saga = beginSaga(plan, start, now)
      const commit = (next: Saga): void => {
        saga = JSON.parse(JSON.stringify(next)) as Saga
      }
      commit(saga)
      let wasCut = false
      const take = (what: typeof happening extends fc.Arbitrary<infer T> ? T : never): void => {
        if (what === 'time') now += second
        if (what === 'event' || what === 'refusal' || (what === 'works' && saga.status === 'waiting')) {
          const waiting = plan.steps
            .filter(({ kind }) => kind === 'wait')
            .map(({ name }) => ({ step: name, isFailure: what === 'refusal' }))
          const received = receive(plan, saga, paid, waiting, now)
          if (received.kind === 'taken' && what !== 'refusal') spared.delete(received.step)
          if (received.kind === 'taken') commit(received.state as Saga)
        }
        if (wasCut) {
          wasCut = false
          commit(afterCall(plan, saga, { kind: 'failed', error: 'cut off' }, now, () => 0))
        }
        commit(lapse(plan, saga, now))
        if (sagaMove(plan, saga, now).kind === 'begin') commit(beginCall(saga))
        const move = sagaMove(plan, saga, now)
        if (move.kind === 'wait') now = Math.max(now, move.untilMs ?? now + second)
        if (move.kind !== 'run' && move.kind !== 'compensate') return
        const { name } = move.step
        const hasEffect = what !== 'fails' && what !== 'is rejected' && what !== 'crash before'
        if (move.kind === 'run') {
          expect(undone).toEqual([])
          if (what !== 'is rejected') spared.delete(name)
          if (hasEffect) effects.add(name)
        } else if (hasEffect) {
          undone.push(name)
          effects.delete(name)
        }
        wasCut = what.startsWith('crash')
        if (wasCut) return
        const isFailed = what.startsWith('fails')
        const answer: SagaAnswer = what === 'is rejected' ? rejected : isFailed ? failed : done(1)
        commit(afterCall(plan, saga, answer, now, () => 0))
      }
      for (const what of happenings) take(what)
      // At last everything works, what was stuck is resumed, and no event comes any more.
      for (let n = 0; n < 100 && saga.status !== 'completed' && saga.status !== 'compensated'; n++) {
        if (hasEnded(saga)) commit(resume(saga, now))
        else if (saga.status === 'waiting') {
          now += 100 * second
          take('time')
        } else take('works')
      }
      const runs = plan.steps.filter(({ kind }) => kind === 'run')
      if (saga.status === 'completed') {
        expect(effects).toEqual(new Set(runs.map(({ name }) => name)))
        expect(undone).toEqual([])
        return
      }
      expect(saga.status).toBe('compensated')
      const left = runs.filter(({ name, isCompensable }) => isCompensable && effects.has(name))
      expect(left).toEqual([])
      expect(undone.filter((name) => spared.has(name))).toEqual([])
      const places = undone.map((name) => plan.steps.findIndex((step) => step.name === name))
      expect(places).toEqual(places.toSorted((a, b) => b - a))
      expect(plan.steps.filter(({ name, isCompensable }) => undone.includes(name) && !isCompensable)).toEqual([])
    }),
    { numRuns: 4000 },
  )
})
