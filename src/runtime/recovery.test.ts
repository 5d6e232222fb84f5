import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { Delivery } from '../plugin/sink.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, event, policy, until } from './engine-fixture.test-support.ts'

const openMemory = () => memory().declaration.open({}, { directory: '.', platform: nodePlatform })

/**
 * The memory store outlives an engine that is abandoned in the middle of its work: that is a kill, without the process.
 * The abandoned engine's writes are refused by its epoch.
 */
test('after kills at any moment every event is delivered, keys stay in order and the books balance', async () => {
  // S0-17 G8 G14 G17 G21 K3 K7 K9
  const run = fc.record({
    ordering: fc.constantFrom('none', 'key', 'strict') as fc.Arbitrary<'none' | 'key' | 'strict'>,
    rounds: fc.array(fc.record({ publish: fc.integer({ min: 0, max: 30 }), turns: fc.integer({ min: 0, max: 12 }) }), {
      minLength: 1,
      maxLength: 4,
    }),
    failEvery: fc.integer({ min: 2, max: 7 }),
  })
  await fc.assert(
    fc.asyncProperty(run, async ({ ordering, rounds, failEvery }) => {
      const store = await openMemory()
      const seen: string[] = []
      let calls = 0
      let published = 0
      let generation = 0
      const start = () => {
        generation += 1
        const mine = generation
        const answer = async ({ event: e }: Delivery): Promise<Outcome | undefined> => {
          if (mine !== generation) return new Promise(() => undefined)
          await new Promise((resolve) => setImmediate(resolve))
          if (mine !== generation) return new Promise(() => undefined)
          calls += 1
          if (calls % failEvery === 0) return { outcome: 'retry', reason: 'now and then' }
          seen.push(e.id)
          return undefined
        }
        const retry = { ...policy('x').retry, attempts: Number.POSITIVE_INFINITY, delaysMs: [1] }
        return engineWith(
          [{ policy: policy('s', { ordering, retry, window: 8, start: { kind: 'beginning' } }), answer }],
          store,
        )
      }
      let { engine } = await start()
      for (const { publish, turns } of rounds) {
        await engine.publish(
          Array.from({ length: publish }, () => event(0, { id: `e${published++}`, subject: `k${published % 3}` })),
        )
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
        ;({ engine } = await start())
      }
      await until(async () => (await engine.subscription('s')).counters.delivered === published)
      await engine.idle()
      expect(new Set(seen).size).toBe(published)
      const report = await engine.audit()
      expect(report.subscriptions[0]!.problems).toEqual([])
      expect(report.ok).toBe(true)
      if (ordering !== 'none') {
        // First deliveries of a key are in log order; a repeated one may come again.
        const first = [...new Set(seen)].map((id) => Number(id.slice(1)))
        const keys = ordering === 'strict' ? [first] : [0, 1, 2].map((key) => first.filter((n) => (n + 1) % 3 === key))
        for (const key of keys) expect(key).toEqual([...key].sort((a, b) => a - b))
      }
      generation += 1
      await engine.stop({ deadline: '1s' })
    }),
    { numRuns: 25 },
  )
})

test('an engine that was taken over records nothing any more', async () => {
  // G21
  const store = await openMemory()
  const first = await engineWith([{ policy: policy('s') }], store)
  await first.engine.publish(event(1))
  await first.engine.idle()
  const second = await engineWith([{ policy: policy('s') }], store)
  await first.engine.pause('s')
  expect(await second.engine.subscription('s')).toMatchObject({ state: 'running' })
  const [stored] = (await store.ledgers()).filter(({ subscription }) => subscription === 's')
  expect(stored!.state).toBe('running')
  expect((await first.engine.health()).ready).toBe(false)
  await second.engine.stop()
})

test('a subscription taken out of the configuration keeps its place and goes on from it when it is back', async () => {
  const store = await openMemory()
  const close = store.close
  store.close = async () => undefined
  const both = [{ policy: policy('kept') }, { policy: policy('away') }]
  const first = await engineWith(both, store)
  await first.engine.publish(event(1))
  await first.engine.idle()
  await first.engine.stop()

  const without = await engineWith([{ policy: policy('kept') }], store)
  await without.engine.publish([event(2), event(3)])
  await without.engine.idle()
  expect(await without.engine.subscription('away')).toMatchObject({ state: 'retired', lag: 2 })
  expect((await without.engine.audit()).ok).toBe(true)
  await without.engine.stop()

  const again = await engineWith(both, store)
  await again.engine.idle()
  expect(again.received.get('away')!.map(({ event: e }) => e.id)).toEqual(['e2', 'e3'])
  await again.engine.pause('away')
  await again.engine.stop()

  const dropping = await engineWith([{ policy: policy('kept') }], store)
  await dropping.engine.drop('away')
  expect((await dropping.engine.subscriptions()).map(({ name }) => name)).toEqual(['kept'])
  await dropping.engine.stop()
  await close()
})

test('what is published into an open pipeline that is not started is delivered by the next start', async () => {
  const store = await openMemory()
  store.close = async () => undefined
  const first = await engineWith([{ policy: policy('s') }], store)
  await first.engine.publish(event(1))
  await first.engine.idle()
  await first.engine.stop()
  const offline = await engineWith([{ policy: policy('s') }], store, false)
  await offline.engine.publish([event(2), event(3)])
  await offline.engine.stop()
  const { engine, received } = await engineWith([{ policy: policy('s') }], store)
  await engine.idle()
  expect(received.get('s')!.map(({ event: e }) => e.id)).toEqual(['e2', 'e3'])
  await engine.stop()
})
