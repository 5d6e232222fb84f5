import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { Delivery } from '../plugin/sink.ts'
import type { StageFunction } from '../plugin/stage-function.ts'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import type { Engine } from './engine.ts'
import { engineWith, event, policy, type Spec, until } from './engine-fixture.test-support.ts'

/** A memory store that a stopped engine leaves open for the next one. */
async function lastingStore(): Promise<Store> {
  const store = await memory().declaration.open({}, { directory: '.', platform: nodePlatform })
  return Object.assign(Object.create(store) as Store, { close: async () => undefined })
}

const modes = ['plain', 'key', 'strict', 'coalesce', 'fair', 'pull'] as const

/** One configuration of the subscription, and what happens while it holds. */
const round = fc.record({
  mode: fc.constantFrom(...modes),
  onFailure: fc.constantFrom('block', 'park') as fc.Arbitrary<'block' | 'park'>,
  match: fc.constantFrom(['*'], ['order.*'], ['user.left']),
  stages: fc.constantFrom([], ['x'], ['x', 'y'], ['y', 'x'], ['y']),
  pure: fc.constantFrom([], ['x'], ['x', 'y']),
  batch: fc.integer({ min: 1, max: 4 }),
  window: fc.integer({ min: 2, max: 32 }),
  maxOpen: fc.integer({ min: 3, max: 200 }),
  isRepeatable: fc.boolean(),
  outcomes: fc.array(fc.constantFrom('ack', 'ack', 'retry', 'reject', 'discard', 'throw', 'never'), {
    minLength: 1,
    maxLength: 6,
  }),
  publish: fc.integer({ min: 0, max: 25 }),
  replays: fc.boolean(),
  fetches: fc.constantFrom('none', 'fetch', 'confirm', 'release') as fc.Arbitrary<
    'none' | 'fetch' | 'confirm' | 'release'
  >,
  turns: fc.integer({ min: 0, max: 40 }),
  end: fc.constantFrom('kill', 'kill', 'stop') as fc.Arbitrary<'kill' | 'stop'>,
})
type Round = typeof round extends fc.Arbitrary<infer R> ? R : never

function policyOf({ mode, onFailure, match, window, maxOpen }: Round, attempts: number): SubscriptionPolicy {
  return policy('s', {
    match,
    window,
    maxOpen,
    start: { kind: 'beginning' },
    retry: { ...policy('x').retry, attempts, delaysMs: [1] },
    timeoutMs: 10_000,
    ordering: mode === 'key' || mode === 'strict' ? mode : 'none',
    onFailure: mode === 'key' ? onFailure : 'block',
    ...(mode === 'coalesce' && { coalesce: { windowMs: 2, maxWaitMs: 10 } }),
    ...(mode === 'fair' && { fairBy: { text: 'subject', groupOf: ({ subject }) => subject ?? '' } }),
  } as Partial<SubscriptionPolicy>)
}

const settledStates = ['delivered', 'discarded', 'superseded', 'expired', 'dead', 'lost'] as const

/** What `explain` says of every event, counted by state. */
async function explained(engine: Engine, head: number): Promise<Map<string, number>> {
  const states = new Map<string, number>()
  for (let sequence = 1; sequence <= head; sequence++) {
    const { deliveries } = (await engine.explain(sequence))!
    for (const { subscription, replay, state } of deliveries)
      if (subscription === 's' && replay === undefined) states.set(state, (states.get(state) ?? 0) + 1)
  }
  return states
}

// S1-73 G14 G33 K9
test('over any changes of configuration between kills and stops the books balance, explain agrees, and all is delivered', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 2, maxLength: 6 }), async (rounds) => {
      const store = await lastingStore()
      let generation = 0
      let published = 0
      const specOf = (given: Round, isLast: boolean): Spec => {
        const mine = generation
        let calls = 0
        const never = () => new Promise<undefined>(() => undefined)
        const answer = async (_: Delivery): Promise<Outcome | undefined> => {
          if (mine !== generation) return never()
          await new Promise((resolve) => setImmediate(resolve))
          const outcome = isLast ? 'ack' : given.outcomes[calls++ % given.outcomes.length]!
          if (mine !== generation || outcome === 'never') return never()
          if (outcome === 'throw') throw new Error('broken')
          return { outcome }
        }
        const stageOf = (): StageFunction => async () => {
          await new Promise((resolve) => setImmediate(resolve))
          return mine === generation ? undefined : never()
        }
        const isPull = given.mode === 'pull' && !isLast
        return {
          policy: policyOf(isLast && given.mode === 'pull' ? { ...given, mode: 'plain' } : given, isLast ? 1e9 : 3),
          answer,
          stages: Object.fromEntries(given.stages.map((name) => [name, stageOf()])),
          pure: given.pure,
          batch: given.batch,
          isRepeatable: given.isRepeatable,
          ...(isPull && { batches: { leaseMs: 5000, limit: 5, maxWaitMs: 0 } }),
        }
      }
      const fetch = async (engine: Engine, { mode, fetches }: Round): Promise<void> => {
        if (mode !== 'pull' || fetches === 'none') return
        const batches = engine.batches('s')
        const fetched = await batches.fetchBatch({ limit: 3 })
        if (fetched === undefined || fetches === 'fetch') return
        const { batch, receipt } = fetched
        if (fetches === 'confirm') await batches.confirm(batch, { receipt })
        else await batches.release(batch, { receipt })
      }
      for (const given of rounds) {
        generation += 1
        const { engine } = await engineWith([specOf(given, false)], store)
        await engine.publish(
          Array.from({ length: given.publish }, () => {
            const n = published++
            return event(0, {
              id: `e${n}`,
              type: n % 4 === 0 ? 'user.left' : 'order.placed',
              ...(n % 5 !== 0 && { subject: `k${n % 3}` }),
            })
          }),
        )
        if (given.replays) await engine.replay('s', { from: 1 }).catch(() => undefined)
        for (let i = 0; i < given.turns; i++) await new Promise((resolve) => setImmediate(resolve))
        await fetch(engine, given)
        expect((await engine.audit()).subscriptions.flatMap(({ problems }) => problems)).toEqual([])
        if (given.end === 'stop') await engine.stop({ deadline: '5ms' })
      }
      generation += 1
      const last = { ...rounds.at(-1)!, maxOpen: 1000, isRepeatable: true }
      const { engine } = await engineWith([specOf(last, true)], store)
      await until(async () => {
        if ((await engine.subscription('s')).counters.dead > 0) await engine.redrive('s', { all: true })
        const { open, lag, counters } = await engine.subscription('s')
        return open === 0 && lag === 0 && counters.dead === 0
      })
      await engine.idle()
      const report = await engine.audit()
      expect(report.subscriptions.flatMap(({ problems }) => problems)).toEqual([])
      expect(report.ok).toBe(true)
      const { counters } = await engine.subscription('s')
      const states = await explained(engine, store.head())
      for (const state of settledStates) expect([state, states.get(state) ?? 0]).toEqual([state, counters[state]])
      generation += 1
      await engine.stop({ deadline: '5ms' })
    }),
    { numRuns: 20, endOnFailure: true },
  )
}, 120_000)
