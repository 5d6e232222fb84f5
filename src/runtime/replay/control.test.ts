import { describe, expect, test } from 'vitest'
import { AppError } from '../../core/errors.ts'
import { createVirtualPlatform } from '../../testing/virtual-platform.ts'
import { engineWith, event, events, policy, until } from '../engine-fixture.test-support.ts'
import { lastingStore, rate, replayIds, stands, startWith } from './replay-fixture.test-support.ts'

const codeOf = (error: unknown): string => (error instanceof AppError ? error.code : String(error))
const refusal = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'taken', codeOf)

describe('a replay that runs', () => {
  test('is paused, resumed and cancelled; a cancelled one delivers no more and is forgotten by the store', async () => {
    const { engine, received, store } = await startWith([{ policy: policy('s') }])
    await engine.publish(events(50))
    await engine.idle()
    const job = await engine.replay('s', { from: 1, rate: '20/s' })
    const count = (): number => replayIds(received.get('s')!, job.id).length
    await until(() => count() > 0)
    expect(await engine.controlReplay('s', job.id, 'pause')).toMatchObject({
      state: 'paused',
      reason: 'paused by hand',
    })
    const paused = count()
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(count()).toBe(paused)
    expect(await engine.controlReplay('s', job.id, 'resume')).toMatchObject({ state: 'running' })
    await until(() => count() > paused)
    const cancelled = await engine.controlReplay('s', job.id, 'cancel')
    expect(cancelled).toMatchObject({ state: 'cancelled', counts: { delivered: count() } })
    expect(cancelled.endedAt).toBeDefined()
    const after = count()
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(count()).toBe(after)
    expect((await store.ledgers()).map(({ subscription }) => subscription).sort()).toEqual(['*', 's'])
    for (const action of ['pause', 'resume', 'cancel'] as const)
      expect(await refusal(engine.controlReplay('s', job.id, action))).toBe('state-conflict')
    await engine.stop()
  })

  test('keeps to its rate', async () => {
    const platform = createVirtualPlatform()
    const { engine, received } = await startWith([{ policy: policy('s') }], { platform })
    await engine.publish(events(100))
    await platform.advance(100)
    expect(received.get('s')).toHaveLength(100)
    const job = await engine.replay('s', { from: 1, rate: '10/s' })
    await platform.advance(2000)
    const [count] = [replayIds(received.get('s')!, job.id).length]
    expect(count).toBeGreaterThanOrEqual(19)
    expect(count).toBeLessThanOrEqual(21)
    const { perSecond, etaSeconds } = await engine.replayStatus('s', job.id)
    expect(perSecond).toBeGreaterThan(9)
    expect(perSecond).toBeLessThan(11)
    expect(etaSeconds).toBeGreaterThan(6)
    expect(etaSeconds).toBeLessThan(10)
  })

  test('keeps to its rate where the sink takes many at once', async () => {
    const calls: number[] = []
    const platform = createVirtualPlatform()
    const spec = { policy: policy('s'), sinkName: 'x', batch: 1000, isPaused: false, runsUserCode: false }
    const { engine } = await engineWith([], await lastingStore(platform), true, {
      platform,
      subscriptions: [
        {
          ...spec,
          createSink: () => ({ deliver: (deliveries) => void calls.push(deliveries.length) }),
          createStages: async () => [],
        },
      ],
    })
    await engine.publish(events(100))
    await platform.advance(100)
    calls.length = 0
    await engine.replay('s', { from: 1, rate: '10/s' })
    await platform.advance(2000)
    const sent = calls.reduce((sum, count) => sum + count, 0)
    expect(Math.max(...calls)).toBeLessThanOrEqual(10)
    expect(sent).toBeGreaterThanOrEqual(19)
    expect(sent).toBeLessThanOrEqual(30)
  })

  test('has the gentle rate where nobody says one, and half of the subscription’s own where that is less', async () => {
    const own = { perSecond: 30, count: 30, windowMs: 1000 }
    const { engine } = await startWith([{ policy: policy('s') }, { policy: policy('slow', { rate: own }) }])
    await engine.publish(event(1))
    expect(await engine.replay('s', { from: 1 })).toMatchObject({ rate: '100/s' })
    expect(await engine.replay('slow', { from: 1 })).toMatchObject({ rate: '54000/h' })
    expect(await refusal(engine.replay('slow', { from: 1, rate: '31/s' }))).toBe('bad-request')
    await engine.stop()
  })

  test('delivers what is older than its time to live, unless it is told to keep to it', async () => {
    const platform = createVirtualPlatform()
    const ttl = { defaultMs: 60_000, types: new Map<string, number>() }
    const { engine, received } = await startWith([{ policy: policy('s', { ttl }) }], { platform })
    await engine.publish(events(3))
    await platform.advance(120_000)
    const settled = async <T>(promise: Promise<T>): Promise<T> => {
      let isOver = false
      void promise.finally(() => {
        isOver = true
      })
      while (!isOver) await platform.advance(10)
      return promise
    }
    expect(await settled(engine.dryRunReplay('s', { from: 1 }))).toMatchObject({ count: 3, expired: 3 })
    const all = await engine.replay('s', { from: 1, rate })
    const none = await engine.replay('s', { from: 1, rate, ttl: 'keep' })
    await platform.advance(1000)
    expect((await engine.replayStatus('s', all.id)).counts).toMatchObject({ delivered: 3, expired: 0 })
    expect((await engine.replayStatus('s', none.id)).counts).toMatchObject({ matched: 3, delivered: 0, expired: 3 })
    expect(replayIds(received.get('s')!, none.id)).toEqual([])
  })

  test('holds back retention until it has read its range; then only what is open of it does', async () => {
    const platform = createVirtualPlatform()
    const { engine, store } = await startWith([{ policy: policy('s'), answer: () => undefined }], {
      platform,
      retention: { ageMs: 1000, whenPinned: 'keep' },
    })
    await engine.publish(events(800))
    await platform.advance(1000)
    const job = await engine.replay('s', { from: 101, to: 600, rate: '1/s' })
    await engine.controlReplay('s', job.id, 'pause')
    await platform.advance(3_600_000)
    // What it has delivered before the pause is not needed any more.
    expect(store.oldest()).toBeGreaterThan(100)
    expect(store.oldest()).toBeLessThan(105)
    await engine.controlReplay('s', job.id, 'resume')
    await platform.advance(3_600_000)
    expect((await engine.replayStatus('s', job.id)).counts).toMatchObject({ delivered: 500, lost: 0 })
    await platform.advance(3_600_000)
    expect(store.oldest()).toBe(801)
  })

  test('fails where the log is damaged, with everything before it delivered, and tries again when it is resumed', async () => {
    let damaged: number | undefined = 7
    const store = await lastingStore()
    const hurt = <T>(isHit: boolean, task: () => Promise<T>): Promise<T> =>
      isHit ? Promise.reject(new AppError('store-corrupt', 'event 7 is damaged')) : task()
    const query: typeof store.query = (asked) =>
      hurt(damaged !== undefined && (asked.after ?? 0) < damaged, () => memoryOf(store).query(asked))
    const read: typeof store.read = async (after, limit) => {
      const found = await hurt(after + 1 === damaged, () => memoryOf(store).read(after, limit))
      return found.filter(({ sequence }) => damaged === undefined || sequence < damaged)
    }
    const { engine, received } = await engineWith([{ policy: policy('s') }], Object.assign(store, { query }), true)
    await engine.publish(events(10))
    await engine.idle()
    Object.assign(store, { read })
    const job = await stands(engine, await engine.replay('s', { from: 1, rate }), 'failed')
    expect(job.reason).toMatch('cannot be read after event 6')
    await until(() => replayIds(received.get('s')!, job.id).length === 6)
    damaged = undefined
    await engine.controlReplay('s', job.id, 'resume')
    expect((await stands(engine, job, 'done')).counts).toMatchObject({ delivered: 10 })
    expect(replayIds(received.get('s')!, job.id)).toHaveLength(10)
    await engine.stop()
  })
})

/** The store below what a test put over it. */
const memoryOf = <T extends object>(store: T): T => Object.getPrototypeOf(store) as T

describe('what is asked for', () => {
  test.each([
    [{ from: 0 }, 'from'],
    [{ from: 1.5 }, 'from'],
    [{ from: 'yesterday' }, 'from'],
    [{ from: 1, to: '2026-13-01T00:00:00Z' }, 'to'],
    [{ from: 9, to: 3 }, 'no event in that range'],
    [{ from: 1, match: ['a.*.b'] }, 'match'],
    [{ from: 1, subject: [] }, 'subject'],
    [{ from: 1, rate: '100' }, 'unit'],
    [{ from: 1, ttl: 'never' as 'keep' }, 'ttl'],
  ])('%j is refused with what is wrong', async (options, text) => {
    const { engine } = await startWith([{ policy: policy('s') }])
    await engine.publish(events(10))
    const error = await engine.replay('s', options).catch((thrown: unknown) => thrown)
    expect(codeOf(error)).toBe('bad-request')
    expect(String(error)).toMatch(text)
    expect(await engine.replays()).toEqual([])
    await engine.stop()
  })

  test('may be times: from the first event at or after one, up to those before the other', async () => {
    const platform = createVirtualPlatform({ startMs: Date.parse('2026-03-01T00:00:00Z') })
    const { engine } = await startWith([{ policy: policy('s') }], { platform })
    for (let i = 0; i < 6; i++) {
      await engine.publish(event(i))
      await platform.advance(60_000)
    }
    const job = await engine.replay('s', { from: '2026-03-01T00:01:00Z', to: '2026-03-01T00:04:00Z', rate })
    expect(job).toMatchObject({ from: 2, to: 4, total: 3 })
    expect(await engine.replay('s', { from: '2026-03-01T01:03:30+01:00', rate })).toMatchObject({ from: 5, to: 6 })
  })

  test('may begin before what is kept: it says how many events are gone', async () => {
    const { engine, store } = await startWith([{ policy: policy('s') }])
    await engine.publish(events(10))
    await engine.idle()
    await store.prune({ events: 4 })
    expect(await engine.dryRunReplay('s', { from: 1 })).toMatchObject({ from: 5, to: 10, removed: 4, count: 6 })
    expect(await engine.replay('s', { from: 1, to: 99, rate })).toMatchObject({ from: 5, to: 10, removed: 4 })
    await engine.stop()
  })

  test('of a subscription that clients fetch from, or that is not there, is refused', async () => {
    const batches = { leaseMs: 1000, limit: 10, maxWaitMs: 100 }
    const { engine } = await startWith([{ policy: policy('s') }, { policy: policy('p'), batches }])
    await engine.publish(events(2))
    expect(await refusal(engine.replay('p', { from: 1 }))).toBe('state-conflict')
    expect(await refusal(engine.dryRunReplay('p', { from: 1 }))).toBe('state-conflict')
    expect(await refusal(engine.replay('none', { from: 1 }))).toBe('subscription-unknown')
    expect(await refusal(engine.replays('none'))).toBe('subscription-unknown')
    expect(await refusal(engine.replayStatus('s', 'r1'))).toBe('not-found')
    const job = await engine.replay('s', { from: 1, rate: '1/h' })
    expect(await refusal(engine.replay(`s/replay/${job.id}`, { from: 1 }))).toBe('subscription-unknown')
    await engine.stop()
  })

  test('is refused while four replays of the subscription have not ended', async () => {
    const { engine } = await startWith([{ policy: policy('s') }, { policy: policy('t') }])
    await engine.publish(events(100))
    const jobs = []
    for (let i = 0; i < 4; i++) jobs.push(await engine.replay('s', { from: 1, rate: '1/h' }))
    expect(await refusal(engine.replay('s', { from: 1 }))).toBe('state-conflict')
    await engine.replay('t', { from: 1 })
    await engine.controlReplay('s', jobs[0]!.id, 'cancel')
    await engine.replay('s', { from: 1 })
    await engine.stop()
  })
})
