import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { StageFunction } from '../plugin/stage-function.ts'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { compareWithStore } from './against-store.ts'
import { engineWith, event, policy, type Spec, until } from './engine-fixture.test-support.ts'

/** A memory store that a stopped engine leaves open for the next one. */
async function lastingStore(): Promise<Store> {
  const store = await memory().declaration.open({}, { directory: '.', platform: nodePlatform })
  return Object.assign(Object.create(store) as Store, { close: async () => undefined })
}

const later: Outcome = { outcome: 'retry', reason: 'not now', delayMs: 3_600_000 }
const unlimited = { retry: { ...policy('s').retry, attempts: Number.POSITIVE_INFINITY } }
const soon: Outcome = { outcome: 'retry', reason: 'not now', delayMs: 1 }

function logged() {
  const lines: string[] = []
  const say = (level: string) => (message: string) => void lines.push(`${level} ${message}`)
  return { lines, log: { debug: () => undefined, info: say('info'), warn: say('warn'), error: say('error') } }
}

async function start(store: Store, specs: readonly Spec[]) {
  const { lines, log } = logged()
  return { ...(await engineWith(specs, store, true, { log })), lines }
}

async function delivered(engine: Awaited<ReturnType<typeof start>>['engine'], count: number): Promise<void> {
  await until(async () => (await engine.subscription('s')).counters.delivered === count)
}

// S1-73
test.each<[string, Readonly<Record<string, StageFunction>>, readonly string[]]>([
  ['the last stage is gone', { first: () => undefined }, []],
  ['the first stage is gone', { second: () => undefined }, []],
  ['every stage is gone', {}, []],
  ['a stage has another name', { first: () => undefined, third: () => undefined }, ['third']],
])('when %s, a delivery part-way through its stages goes on and ends', async (_, stages, runs) => {
  const store = await lastingStore()
  const before = await start(store, [
    { policy: policy('s', unlimited), stages: { first: () => undefined, second: () => undefined }, answer: () => soon },
  ])
  await before.engine.publish(event(1))
  await until(async () => (await before.engine.subscription('s')).counters.retries > 0)
  await before.engine.stop()
  const ran: string[] = []
  const named = Object.entries(stages).map(([name]) => [name, () => void ran.push(name)] as const)
  const after = await start(store, [{ policy: policy('s'), stages: Object.fromEntries(named) }])
  await delivered(after.engine, 1)
  expect(ran).toEqual(runs)
  expect((await after.engine.audit()).ok).toBe(true)
  await after.engine.stop()
})

test('a start says which stages are gone and what their open deliveries do; an unchanged one says nothing', async () => {
  // S1-73
  const store = await lastingStore()
  const two = { enrich: () => undefined, rate: () => undefined }
  const first = await start(store, [{ policy: policy('s'), stages: two, answer: () => later }])
  expect(first.lines).toEqual([])
  await first.engine.publish([event(1), event(2)])
  await until(async () => (await first.engine.subscription('s')).counters.retries === 2)
  await first.engine.stop()
  const same = await start(store, [{ policy: policy('s'), stages: two, answer: () => later }])
  expect(same.lines).toEqual([])
  await same.engine.stop()
  const renamed = await start(store, [
    {
      policy: policy('s', { match: ['order.*'] }),
      stages: { improve: two.enrich, rate: two.rate },
      answer: () => later,
    },
    { policy: policy('t') },
  ])
  expect(renamed.lines).toEqual([
    'info subscription s reads order.* from any source (was * from any source) from event 3 on; open deliveries stay',
    'warn subscription s stage enrich is gone and improve is new: 2 open deliveries have done it and would run improve as well. If it was renamed, give it its old name until they are settled',
    'info subscription s stage improve is new: open deliveries that have not reached the sink run it too',
    'info subscription t is new: it begins after event 2',
  ])
  await renamed.engine.stop()
})

test('a subscription that leaves the configuration and comes back goes on where it was', async () => {
  // S1-73
  const store = await lastingStore()
  const first = await start(store, [{ policy: policy('s', unlimited), answer: () => soon }, { policy: policy('t') }])
  await first.engine.publish(event(1))
  await until(async () => (await first.engine.subscription('s')).counters.retries > 0)
  await first.engine.stop()
  const without = await start(store, [{ policy: policy('t') }])
  expect(without.lines).toEqual([
    expect.stringContaining('warn the store has subscriptions that the configuration does not name: s.'),
  ])
  await without.engine.publish(event(2))
  await without.engine.stop()
  const again = await start(store, [{ policy: policy('s') }, { policy: policy('t') }])
  expect(again.lines).toEqual([
    'info subscription s is in the configuration again: it goes on after event 1, with 1 open delivery and 1 event to examine; its start is not looked at',
  ])
  await delivered(again.engine, 2)
  await again.engine.stop()
})

test('deliveries that waited behind their key are delivered when the order is taken away, and the books balance', async () => {
  // S1-73 G8
  const store = await lastingStore()
  const ordered = (ordering: SubscriptionPolicy['ordering']) => policy('s', { ordering })
  const first = await start(store, [{ policy: ordered('key'), answer: () => later }])
  await first.engine.publish([1, 2, 3].map((id) => event(id, { subject: 'k' })))
  await until(async () => (await store.held('s'))[0]?.sequences.length === 2)
  await first.engine.stop()
  let failures = 1
  const free = await start(store, [{ policy: ordered('none'), answer: () => (failures-- > 0 ? soon : undefined) }])
  expect(free.lines).toEqual([
    'info subscription s ordering is none (was key): open deliveries keep the key they were matched with',
  ])
  await delivered(free.engine, 2)
  expect(await free.engine.subscription('s')).toMatchObject({ open: 1 })
  expect((await free.engine.audit()).ok).toBe(true)
  await free.engine.stop()
})

test('looked at closely, open deliveries that the patterns would not take any more are counted, and stay', async () => {
  const store = await lastingStore()
  const { engine } = await start(store, [{ policy: policy('s'), answer: () => later }])
  await engine.publish([event(1), event(2, { type: 'user.left' }), event(3, { source: 'crm' })])
  await until(async () => (await engine.subscription('s')).counters.retries === 3)
  await engine.stop()
  const narrow = policy('s', { match: ['order.*'], from: ['shop'] })
  const changes = await compareWithStore(
    store,
    [{ policy: narrow, stages: [], sink: 'test' }],
    await store.ledgers(),
    true,
  )
  expect(changes).toEqual([
    {
      subscription: 's',
      kind: 'reads',
      severity: 'note',
      message:
        'reads order.* from shop (was * from any source) from event 4 on; 2 open deliveries that it would not take any more stay and are delivered',
    },
  ])
})

test('what clients have of a pull subscription stays theirs when a stage is put in front of it', async () => {
  // S1-73 G23
  const store = await lastingStore()
  const batches = { leaseMs: 60_000, limit: 10, maxWaitMs: 0 }
  const first = await start(store, [{ policy: policy('s'), batches }])
  await first.engine.publish([event(1), event(2)])
  const held = (await first.engine.batches('s').fetchBatch({ limit: 1 }))!
  await first.engine.stop()
  const ran: string[] = []
  const stages = { x: ({ event: { id } }: { event: { id: string } }) => void ran.push(id) }
  const { engine } = await start(store, [{ policy: policy('s'), batches, stages }])
  await until(() => ran.length > 0)
  await engine.idle()
  expect(ran).toEqual(['e2'])
  const rest = (await engine.batches('s').fetchBatch({ limit: 10 }))!
  expect(rest.events.map(({ id }) => id)).toEqual(['e2'])
  expect((await engine.audit()).subscriptions[0]!.problems).toEqual([])
  expect(await engine.batches('s').confirm(held.batch, { receipt: held.receipt })).toMatchObject({ confirmed: 1 })
  await engine.batches('s').confirm(rest.batch, { receipt: rest.receipt })
  expect(await engine.subscription('s')).toMatchObject({ open: 0, counters: { delivered: 2 } })
  expect((await engine.audit()).subscriptions[0]!.problems).toEqual([])
  await engine.stop()
})
