import { describe, expect, test } from 'vitest'
import { noCounters } from '../../core/ledger-state.ts'
import { engineWith, event, events, policy, type Spec, until } from '../engine-fixture.test-support.ts'
import { Jobs } from './jobs.ts'
import { lastingStore, rate, replayed, replayIds, stands } from './replay-fixture.test-support.ts'
import { listReplays } from './stored.ts'

const paced = (): Spec[] => [{ policy: policy('s') }]

describe('after a restart', () => {
  async function halfDone(): Promise<{ store: Awaited<ReturnType<typeof lastingStore>>; id: string; first: string[] }> {
    const store = await lastingStore()
    const { engine, received } = await engineWith(paced(), store)
    await engine.publish(events(60))
    await engine.idle()
    const { id } = await engine.replay('s', { from: 1, rate: '200/s' })
    await until(() => replayIds(received.get('s')!, id).length >= 20)
    await engine.stop()
    return { store, id, first: replayIds(received.get('s')!, id) }
  }

  test('it goes on where it was, and no event is left out or sent twice', async () => {
    // G17 K9
    const { store, id, first } = await halfDone()
    expect(first.length).toBeLessThan(60)
    const { engine, received } = await engineWith(paced(), store)
    await stands(engine, (await engine.replays('s'))[0]!, 'done')
    const second = replayIds(received.get('s')!, id)
    expect([...first, ...second]).toHaveLength(60)
    expect(new Set([...first, ...second]).size).toBe(60)
    expect(received.get('s')).toHaveLength(second.length)
    expect((await engine.audit()).problems).toEqual([])
    await engine.stop()
  })

  test('it waits while its subscription is not in the configuration, and goes on when it is back', async () => {
    const { store, id, first } = await halfDone()
    const without = await engineWith([{ policy: policy('t') }], store)
    expect(await without.engine.replays('s')).toMatchObject([{ id, state: 'paused' }])
    expect((await without.engine.replays('s'))[0]!.counts.delivered).toBe(first.length)
    expect((await without.engine.subscriptions()).map(({ name, state }) => `${name} ${state}`)).toEqual([
      's retired',
      't running',
    ])
    expect(await without.engine.controlReplay('s', id, 'resume').catch((error: unknown) => error)).toMatchObject({
      code: 'state-conflict',
    })
    await without.engine.stop()
    const { engine, received } = await engineWith(paced(), store)
    const [job] = await engine.replays('s')
    await stands(engine, job!, 'done')
    expect(new Set([...first, ...replayIds(received.get('s')!, id)]).size).toBe(60)
    await engine.stop()
  })

  test('one that was paused is still paused, and one that had ended is remembered with its counts', async () => {
    const store = await lastingStore()
    const before = await engineWith(paced(), store)
    await before.engine.publish(events(10))
    await before.engine.idle()
    const done = await replayed(before.engine, 's', { from: 1 })
    const job = await before.engine.replay('s', { from: 1, rate: '1/h' })
    await before.engine.controlReplay('s', job.id, 'pause')
    await before.engine.stop()
    const { engine, received } = await engineWith(paced(), store)
    expect(await engine.replays('s')).toMatchObject([
      { id: job.id, state: 'paused', reason: 'paused by hand' },
      { id: done.id, state: 'done', counts: done.counts, endedAt: done.endedAt },
    ])
    expect(received.get('s')).toEqual([])
    await engine.stop()
  })

  test('one that was made while nothing ran begins with the start', async () => {
    const store = await lastingStore()
    const before = await engineWith(paced(), store)
    await before.engine.publish(events(5))
    await before.engine.idle()
    await before.engine.stop()
    const still = await engineWith(paced(), store, false)
    const job = await still.engine.replay('s', { from: 1, rate })
    await still.engine.stop()
    expect(still.received.get('s')).toEqual([])
    const { engine, received } = await engineWith(paced(), store)
    await stands(engine, job, 'done')
    expect(replayIds(received.get('s')!, job.id)).toHaveLength(5)
    await engine.stop()
  })

  test('a ledger that no replay has any more is removed', async () => {
    const store = await lastingStore()
    const initial = { start: 0, examined: 0, follows: false, pending: [], state: 'running' } as const
    await store.openLedger('s/replay/r0', 0, 'somebody', { ...initial, counters: noCounters })
    const { engine } = await engineWith(paced(), store)
    expect((await store.ledgers()).map(({ subscription }) => subscription).sort()).toEqual(['*', 's'])
    await engine.stop()
  })
})

describe('what ended', () => {
  test('is explained for as long as history is kept, and remembered for thirty days', async () => {
    const store = await lastingStore()
    const { engine } = await engineWith(paced(), store)
    await engine.publish(events(3))
    await engine.idle()
    const { id } = await replayed(engine, 's', { from: 1 })
    expect((await engine.explain(1)).deliveries).toHaveLength(2)
    await engine.stop()
    const jobs = new Jobs(store)
    expect(await jobs.load()).toEqual([])
    const days = (count: number): number => Date.now() + count * 86_400_000
    const ledgers = async (): Promise<number> => (await jobs.holding(1, 's')).length
    await jobs.tend(days(6), 7 * 86_400_000)
    expect(await ledgers()).toBe(1)
    await jobs.tend(days(8), 7 * 86_400_000)
    expect(await ledgers()).toBe(0)
    expect(jobs.one('s', id).counts.delivered).toBe(3)
    await jobs.tend(days(31), 7 * 86_400_000)
    expect(jobs.of('s')).toEqual([])
    expect(await listReplays(store)).toEqual([])
  })

  test('is forgotten beyond the newest hundred, and with its subscription', async () => {
    const store = await lastingStore()
    const initial = {
      start: 0,
      examined: 0,
      follows: false,
      pending: [],
      counters: noCounters,
      state: 'running',
    } as const
    await store.openLedger('s', 0, 'somebody', initial)
    const jobs = new Jobs(store)
    const about = { format: 1, from: 1, to: 2, removed: 0, rate: '1/s', ttl: 'ignore', createdAt: 0 } as const
    const counts = { examined: 2, matched: 0, delivered: 0, discarded: 0, expired: 0, dead: 0, lost: 0, open: 0 }
    const end = (at: number) => ({ state: 'done', at, counts: { ...counts, attempts: 0, retries: 0 } }) as const
    for (let i = 0; i < 105; i++) await jobs.add({ ...about, id: `r${i}`, subscription: 's', end: end(i) })
    await jobs.add({ ...about, id: 'r1', subscription: 'gone' })
    await jobs.tend(1000, 1e9)
    expect(jobs.of('s').map(({ stored }) => stored.end!.at)).toEqual(Array.from({ length: 100 }, (_, i) => i + 5))
    expect(jobs.of('gone')).toEqual([])
  })
})

test('the sink of a replay is its own, or that of live traffic where it must not be opened twice', async () => {
  for (const isSinkSingle of [false, true]) {
    let [made, opened, closed] = [0, 0, 0]
    const sent: number[] = []
    const sink = () => {
      const number = ++made
      return {
        open: () => void opened++,
        close: () => void closed++,
        deliver: () => void sent.push(number),
      }
    }
    const spec = { policy: policy('s'), sinkName: 'x', batch: 1, isPaused: false, runsUserCode: false, isSinkSingle }
    const { engine } = await engineWith([], await lastingStore(), true, {
      subscriptions: [{ ...spec, createSink: sink, createStages: async () => [] }],
    })
    await engine.publish(event(1))
    await engine.idle()
    const job = await replayed(engine, 's', { from: 1 })
    await until(async () => (await engine.replayStatus('s', job.id)).state === 'done')
    expect(sent).toEqual(isSinkSingle ? [1, 1] : [1, 2])
    await until(() => closed === made - 1)
    await engine.stop()
    expect([made, opened, closed]).toEqual(isSinkSingle ? [1, 1, 1] : [2, 2, 2])
  }
})
