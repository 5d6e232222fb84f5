import { describe, expect, test } from 'vitest'
import { createPipeline } from '../../pipeline.ts'
import { memory } from '../../stores/memory.ts'
import { recordingSink } from '../../testing/recording-sink.ts'
import { sums, world } from './world.test-support.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n + 1)

// S3-14
describe('a rebuild', () => {
  test('folds the log again beside what is served, and takes its place with the same state', async () => {
    const { start, append, publish, platform, ledgers, store } = await world()
    await append(numbers(100))
    const projected = sums()
    const pipeline = await start(projected)
    await platform.advance(1000)
    const state = projected.of(pipeline)
    expect(await state.get('a')).toEqual({ sum: 5050, count: 100 })
    // As if a mistake had got into the store.
    const { epoch } = (await store.ledgers()).find(({ subscription }) => subscription === 'sums')!
    const kept = [{ stage: 'projection', key: 'wrong', value: '{"sum":1,"count":1}' }]
    await store.commit([{ ledgers: [{ subscription: 'sums', partition: 0, epoch, kept }] }])

    expect(await pipeline.rebuild('sums')).toMatchObject({ state: 'building', from: 1, version: '1 of paid' })
    await expect(pipeline.rebuild('sums')).rejects.toThrow(/being rebuilt/)
    expect(await state.get('wrong')).toEqual({ sum: 1, count: 1 })
    await platform.advance(1000)
    expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'done', delivered: 100, examined: 100, dead: 0 })
    expect(await state.get('a')).toEqual({ sum: 5050, count: 100 })
    expect(await state.get('wrong')).toBeUndefined()
    expect(await ledgers()).toEqual(['*', 'sums'])
    await publish(pipeline, 1000)
    expect(await state.get('a')).toEqual({ sum: 6050, count: 101 })
    expect(await pipeline.audit()).toMatchObject({ ok: true })
    expect(await pipeline.subscription('sums')).toMatchObject({ state: 'running', lag: 0, rebuild: { state: 'done' } })
  })

  test('is waited for until it is done, cancelled, stuck, or the pipeline stops', async () => {
    const { start, stop, append, platform } = await world()
    await append(numbers(5000))
    const pipeline = await start(sums())
    await platform.advance(1000)
    expect(await pipeline.rebuilt('sums')).toBeUndefined()
    await expect(pipeline.rebuilt('other')).rejects.toMatchObject({ code: 'subscription-unknown' })
    const states: (string | undefined)[] = []
    for (const end of ['done', 'cancelled', 'stopped']) {
      await pipeline.rebuild('sums')
      const rebuilt = pipeline.rebuilt('sums').then((status) => void states.push(status?.state))
      const ending = end === 'cancelled' ? pipeline.controlRebuild('sums', 'cancel') : undefined
      if (end === 'stopped') await stop(pipeline)
      else await platform.advance(1000)
      await Promise.all([rebuilt, ending])
    }
    expect(states).toEqual(['done', 'cancelled', 'building'])
  })

  test('of a large log shows how far it is, while the subscription goes on', async () => {
    const { start, append, publish, platform } = await world()
    await append(numbers(20_000))
    const projected = sums()
    const pipeline = await start(projected)
    await platform.advance(2000)
    const state = projected.of(pipeline)
    await pipeline.rebuild('sums')
    const seen: number[] = []
    for (let round = 0; round < 1000 && pipeline.rebuildStatus('sums')?.state !== 'done'; round++) {
      const before = (await state.get('a'))!.count
      await publish(pipeline, 0)
      expect((await state.get('a'))!.count).toBeGreaterThanOrEqual(before + 1)
      seen.push(pipeline.rebuildStatus('sums')!.examined)
      expect(pipeline.stats().subscriptions['sums']!.rebuild!.head).toBeGreaterThan(20_000)
    }
    expect(seen.length).toBeGreaterThan(3)
    expect(seen.toSorted((a, b) => a - b)).toEqual(seen)
    expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'done' })
    expect((await state.get('a'))!.count).toBe(20_000 + seen.length)
  })

  test('can be cancelled: what is served goes on as if nothing had been', async () => {
    const { start, append, publish, platform, ledgers } = await world()
    await append(numbers(20_000))
    const projected = sums()
    const pipeline = await start(projected)
    await platform.advance(2000)
    await expect(pipeline.controlRebuild('sums', 'cancel')).rejects.toThrow(/no rebuild of sums is under way/)
    await pipeline.rebuild('sums')
    await platform.advance(1)
    const cancelling = pipeline.controlRebuild('sums', 'cancel')
    await platform.advance(100)
    expect(await cancelling).toMatchObject({ state: 'cancelled' })
    expect(await ledgers()).toEqual(['*', 'sums'])
    await publish(pipeline, 5)
    expect(await projected.of(pipeline).get('a')).toMatchObject({ count: 20_001 })
    await pipeline.rebuild('sums')
    await platform.advance(5000)
    expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'done', delivered: 20_001 })
  })

  test('goes on after a restart from where it was', async () => {
    const { start, stop, append, platform, store } = await world()
    await append(numbers(20_000))
    const first = await start(sums())
    await platform.advance(2000)
    await first.rebuild('sums')
    await platform.advance(60)
    await stop(first)
    const half = (await store.ledgers()).find(({ subscription }) => subscription === 'sums/rebuild')!.examined
    expect(half).toBeGreaterThan(0)
    expect(half).toBeLessThan(20_000)
    const projected = sums()
    const second = await start(projected)
    expect(second.rebuildStatus('sums')!.examined).toBeGreaterThanOrEqual(half)
    await platform.advance(2000)
    expect(second.rebuildStatus('sums')).toMatchObject({ state: 'done', delivered: 20_000 })
    expect(await projected.of(second).get('a')).toEqual({ sum: 200_010_000, count: 20_000 })
    expect(await second.audit()).toMatchObject({ ok: true })
  })

  test('that cannot fold an event does not take its place until somebody says so', async () => {
    const { start, append, platform } = await world()
    await append([1, 13, 2])
    let isBroken = false
    const projected = sums(1, {
      retry: { attempts: 1 },
      fold({ sum, count }, { data: { amount } }) {
        if (amount === 13 && isBroken) throw new Error('not 13')
        return { sum: sum + amount, count: count + 1 }
      },
    })
    const pipeline = await start(projected)
    await platform.advance(200)
    isBroken = true
    await pipeline.rebuild('sums')
    await platform.advance(10_000)
    const stuck = (await pipeline.subscription('sums')).rebuild!
    expect(stuck).toMatchObject({ state: 'stuck', dead: 1, open: 1 })
    expect(stuck.reason).toMatch(/dead letters of sums\/rebuild/)
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 16, count: 3 })
    // Its dead letters are listed and discarded as those of any ledger.
    expect((await pipeline.dead('sums/rebuild', { limit: 10 })).map(({ sequence }) => sequence)).toEqual([2])
    await pipeline.discard('sums/rebuild', { all: true })
    await platform.advance(1000)
    expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'done' })
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 3, count: 2 })

    await pipeline.rebuild('sums')
    await platform.advance(1000)
    expect(await pipeline.controlRebuild('sums', 'finish')).toMatchObject({ subscription: 'sums' })
    await platform.advance(1000)
    expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'done' })
    expect(await pipeline.subscription('sums')).toMatchObject({ open: 1, counters: { dead: 1 } })
    isBroken = false
    await pipeline.redrive('sums', { all: true })
    await platform.advance(1000)
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 16, count: 3 })
  })

  test('is refused where the log no longer has what the state began with, unless it is forced', async () => {
    const { start, append, platform, store } = await world()
    await append([1, 2, 3])
    const projected = sums()
    const pipeline = await start(projected)
    await platform.advance(200)
    await store.prune({ events: 2 })
    await expect(pipeline.rebuild('sums')).rejects.toThrow(
      'rebuilding sums failed: its state begins with event 1, and the log now with event 3, so another state would come of it',
    )
    expect(await pipeline.rebuild('sums', { force: true })).toMatchObject({ from: 3 })
    await platform.advance(500)
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 3, count: 1 })
    // A state that began there can be built again from there.
    await pipeline.rebuild('sums')
    await platform.advance(500)
    expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'done', delivered: 1 })
  })

  test('is refused for what sends, and for what does not follow from the log alone; a projection is not replayed', async () => {
    const { start, append, platform } = await world()
    await append([1])
    const pipeline = await start(sums())
    await platform.advance(200)
    await expect(pipeline.rebuild('other')).rejects.toMatchObject({ code: 'subscription-unknown' })
    await expect(pipeline.replay('sums', { from: 1 })).rejects.toThrow(/made again with a rebuild/)
    const sending = createPipeline(
      {
        store: memory(),
        subscriptions: { sums: { ...sums(), sink: recordingSink() }, plain: { sink: recordingSink() } },
      },
      { platform },
    )
    await sending.start()
    for (const name of ['sums', 'plain'])
      await expect(sending.rebuild(name)).rejects.toThrow(/does not follow from the log alone/)
    const stopping = sending.stop()
    await platform.advance(100)
    await stopping
  })

  test('keeps what it has not read from retention, and can itself be paused', async () => {
    const { start, append, platform, store } = await world()
    await append([1, 2, 3])
    const projected = sums()
    const pipeline = await start(projected, { retention: { age: '1h' } })
    await platform.advance(200)
    await pipeline.rebuild('sums')
    await pipeline.pause('sums/rebuild')
    await platform.advance(3 * 3_600_000)
    expect(store.oldest()).toBe(1)
    const { rebuild } = await pipeline.subscription('sums')
    expect(rebuild).toMatchObject({ state: 'stuck', reason: 'it is paused: resume sums/rebuild' })
    await pipeline.resume('sums/rebuild')
    await platform.advance(2 * 3_600_000)
    expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'done', delivered: 3 })
    expect(store.oldest()).toBe(4)
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 6, count: 3 })
  })

  test('of a paused subscription ends paused', async () => {
    const { start, append, platform } = await world()
    await append([1, 2])
    const projected = sums()
    const pipeline = await start(projected)
    await platform.advance(200)
    await pipeline.pause('sums')
    await append([3])
    await pipeline.rebuild('sums')
    await platform.advance(1000)
    expect(await pipeline.subscription('sums')).toMatchObject({ state: 'paused', rebuild: { state: 'done' } })
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 6, count: 3 })
    await append([4])
    await pipeline.resume('sums')
    await platform.advance(1000)
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 10, count: 4 })
  })
})

// S3-14
describe('another version', () => {
  test('is built beside the old state, which is served as it was, and takes its place by itself', async () => {
    const { start, stop, append, publish, platform } = await world()
    await append(numbers(20_000))
    const first = await start(sums(1))
    await platform.advance(2000)
    await stop(first)
    await append([7])
    const projected = sums(2)
    const second = await start(projected)
    const state = projected.of(second)
    const status = await second.subscription('sums')
    expect(status).toMatchObject({
      state: 'halted',
      foldVersion: '1 of paid',
      lag: 1,
      rebuild: { state: 'building', version: '2 of paid' },
    })
    expect(status.reason).toMatch(/of version 1 of paid, and the code is 2 of paid/)
    await expect(second.resume('sums')).rejects.toThrow(/served as it is until it is rebuilt/)
    await publish(second, 0)
    expect(await state.get('a')).toEqual({ sum: 200_010_000, count: 20_000 })
    await platform.advance(3000)
    expect(await state.get('a')).toEqual({ sum: 400_020_014, count: 20_002 })
    expect(await second.subscription('sums')).toMatchObject({ state: 'running', foldVersion: '2 of paid', lag: 0 })
    await stop(second)
    const third = await start(sums(2))
    expect(third.rebuildStatus('sums')).toBeUndefined()
    expect(await third.subscription('sums')).toMatchObject({ state: 'running' })
  })

  test('taken back before it was there leaves the old state, which goes on', async () => {
    const { start, stop, append, platform, ledgers } = await world()
    await append(numbers(20_000))
    const first = await start(sums(1))
    await platform.advance(2000)
    await stop(first)
    const second = await start(sums(2))
    await platform.advance(60)
    await stop(second)
    expect(await ledgers()).toEqual(['*', 'sums', 'sums/rebuild'])
    await append([1])
    const projected = sums(1)
    const third = await start(projected)
    expect(await ledgers()).toEqual(['*', 'sums'])
    await platform.advance(500)
    expect(await projected.of(third).get('a')).toEqual({ sum: 200_010_001, count: 20_001 })
  })

  test('after another begins again, and what it reads is part of it', async () => {
    const { start, stop, append, platform } = await world()
    await append(numbers(20_000))
    await stop(await start(sums(1)))
    const second = await start(sums(2))
    await platform.advance(60)
    await stop(second)
    const third = await start(sums(3))
    expect(third.rebuildStatus('sums')).toMatchObject({ version: '3 of paid', examined: 0 })
    await platform.advance(3000)
    await stop(third)
    const projected = sums(3, { where: 'data.amount > 19999', match: ['paid', 'other'], from: ['s'] })
    const fourth = await start(projected)
    await platform.advance(3000)
    expect(await fourth.subscription('sums')).toMatchObject({
      foldVersion: '3 of other paid from s where data.amount > 19999',
      state: 'running',
    })
    expect(await projected.of(fourth).get('a')).toEqual({ sum: 60_000, count: 1 })
  })

  test('that cannot be built leaves the old state standing still, and says why', async () => {
    const { start, stop, append, platform, store } = await world()
    await append([1, 2, 3])
    const first = await start(sums(1))
    await platform.advance(200)
    await stop(first)
    await store.prune({ events: 1 })
    const projected = sums(2)
    const second = await start(projected)
    await platform.advance(200)
    const { state, reason } = await second.subscription('sums')
    expect(state).toBe('halted')
    expect(reason).toMatch(/its state begins with event 1, and the log now with event 2/)
    expect(await projected.of(second).get('a')).toEqual({ sum: 6, count: 3 })
    await second.rebuild('sums', { force: true })
    await platform.advance(500)
    expect(await projected.of(second).get('a')).toEqual({ sum: 10, count: 2 })
    expect(await second.subscription('sums')).toMatchObject({ state: 'running' })
  })

  test('whose rebuild is cancelled stands still until another begins', async () => {
    const { start, stop, append, platform } = await world()
    await append(numbers(20_000))
    const first = await start(sums(1))
    await platform.advance(2000)
    await stop(first)
    const second = await start(sums(2))
    const cancelling = second.controlRebuild('sums', 'cancel')
    await platform.advance(100)
    await cancelling
    const { state, reason } = await second.subscription('sums')
    expect([state, reason]).toEqual(['halted', expect.stringMatching(/its rebuild was cancelled/)])
    await second.rebuild('sums')
    await platform.advance(3000)
    expect(await second.subscription('sums')).toMatchObject({ state: 'running', foldVersion: '2 of paid' })
  })
})
