import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { Delivery } from '../plugin/sink.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, event, events, policy, until } from './engine-fixture.test-support.ts'

const openMemory = () => memory().declaration.open({}, { directory: '.', platform: nodePlatform })
const never = () => new Promise<undefined>(() => undefined)
const unknown = /^it is not known how the attempt ended/

// G26 G14
test('after kills at any moment no delivery of a sink that cannot be repeated is tried twice, and the books balance', async () => {
  const run = fc.record({
    ordering: fc.constantFrom('none', 'key', 'strict') as fc.Arbitrary<'none' | 'key' | 'strict'>,
    rounds: fc.array(fc.record({ publish: fc.integer({ min: 0, max: 20 }), turns: fc.integer({ min: 0, max: 12 }) }), {
      minLength: 1,
      maxLength: 4,
    }),
  })
  await fc.assert(
    fc.asyncProperty(run, async ({ ordering, rounds }) => {
      const store = await openMemory()
      const begun: string[] = []
      let published = 0
      let generation = 0
      const start = () => {
        generation += 1
        const mine = generation
        const answer = async ({ event: e }: Delivery): Promise<Outcome | undefined> => {
          if (mine !== generation) return never()
          begun.push(e.id)
          await new Promise((resolve) => setImmediate(resolve))
          return mine === generation ? undefined : never()
        }
        const p = policy('s', { ordering, window: 8, start: { kind: 'beginning' } })
        return engineWith([{ policy: p, answer, isRepeatable: false }], store)
      }
      let { engine } = await start()
      for (const { publish, turns } of rounds) {
        await engine.publish(
          Array.from({ length: publish }, () => event(0, { id: `e${published++}`, subject: `k${published % 3}` })),
        )
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
        ;({ engine } = await start())
      }
      await until(async () => {
        const { counters } = await engine.subscription('s')
        return counters.delivered + counters.dead === published
      })
      expect(new Set(begun).size).toBe(begun.length)
      for (const { reason, attemptCount } of await engine.dead('s', { limit: 100 })) {
        expect(reason).toMatch(unknown)
        expect(attemptCount).toBe(1)
      }
      expect(await engine.audit()).toMatchObject({ ok: true })
      generation += 1
      await engine.stop({ deadline: '1s' })
    }),
    { numRuns: 25 },
  )
})

test('what such a sink itself answers is heeded: a retry is tried again, after a kill too', async () => {
  const store = await openMemory()
  let calls = 0
  const answer = async (): Promise<Outcome | undefined> =>
    ++calls === 1 ? { outcome: 'retry', delayMs: 200 } : undefined
  const spec = { policy: policy('s', { start: { kind: 'beginning' } }), answer, isRepeatable: false }
  const first = await engineWith([spec], store)
  await first.engine.publish(event(1))
  await until(async () => (await store.rows('s', { limit: 1 }))[0]?.attempts.length === 1)
  const { engine } = await engineWith([spec], store)
  await until(async () => (await engine.subscription('s')).counters.delivered === 1)
  expect(calls).toBe(2)
  await engine.stop()
})

test.each<[string, () => Promise<undefined>]>([
  ['throws', () => Promise.reject(new Error('the connection broke'))],
  ['answers nothing in time', never],
])('an attempt that %s may have done its work: it is dead, and can be put back by hand', async (_, fail) => {
  const store = await openMemory()
  let isFailing = true
  const answer = () => (isFailing ? fail() : Promise.resolve(undefined))
  const spec = { policy: policy('s', { timeoutMs: 20 }), answer, isRepeatable: false }
  const { engine } = await engineWith([spec], store)
  await engine.publish(event(1))
  await until(async () => (await engine.subscription('s')).counters.dead === 1)
  const [dead] = await engine.dead('s', { limit: 1 })
  expect(dead).toMatchObject({ reason: expect.stringMatching(unknown), attemptCount: 1 })
  isFailing = false
  await engine.redrive('s', { all: true })
  await until(async () => (await engine.subscription('s')).counters.delivered === 1)
  expect(await engine.audit()).toMatchObject({ ok: true })
  await engine.stop({ deadline: '1ms' })
})

test('a kill during an attempt that was put back by hand makes it dead again', async () => {
  const store = await openMemory()
  let calls = 0
  const answer = async () => {
    calls += 1
    return never()
  }
  const spec = { policy: policy('s'), answer, isRepeatable: false }
  const first = await engineWith([spec], store)
  await first.engine.publish(events(1))
  await until(() => calls === 1)
  const second = await engineWith([spec], store)
  await until(async () => (await second.engine.subscription('s')).counters.dead === 1)
  await second.engine.redrive('s', { all: true })
  await until(() => calls === 2)
  const third = await engineWith([spec], store)
  await until(async () => (await third.engine.subscription('s')).counters.dead === 1)
  expect(await third.engine.explain(1)).toMatchObject({
    deliveries: [{ state: 'dead', reason: expect.stringMatching(unknown) }],
  })
  await third.engine.stop({ deadline: '1s' })
})
