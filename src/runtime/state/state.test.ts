import { describe, expect, onTestFinished, test } from 'vitest'
import { createPipeline } from '../../pipeline.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { dedupe } from '../../stages/dedupe.ts'
import { memory } from '../../stores/memory.ts'
import { createVirtualPlatform } from '../../testing/virtual-platform.ts'
import { sums, world } from '../rebuild/world.test-support.ts'

// S3-14
describe('state', () => {
  test('of any stage that keeps something can be read, by its name where there are several', async () => {
    const platform = createVirtualPlatform()
    const pipeline = createPipeline(
      {
        store: memory(),
        subscriptions: {
          work: {
            stages: [
              dedupe({ by: 'event.id', within: '1h' }),
              aggregate({ by: 'event.subject', every: '1m', eventType: 'x.minute' }),
            ],
          },
          none: {},
        },
      },
      { platform },
    )
    await pipeline.start()
    onTestFinished(async () => {
      const stopping = pipeline.stop()
      await platform.advance(100)
      await stopping
    })
    await pipeline.publish({ source: 's', id: '1', type: 'x', subject: 'a', data: {} })
    await platform.advance(10)
    expect(() => pipeline.state('work')).toThrow('say which stage is meant: dedupe, aggregate')
    expect(() => pipeline.state('none')).toThrow('none of its stages keeps anything')
    expect(() => pipeline.state('unknown')).toThrow('there is no subscription unknown')
    expect(await pipeline.stateStages('work')).toEqual(['aggregate', 'dedupe'])
    expect(await pipeline.state('work', 'aggregate').list()).toEqual({
      entries: [{ key: 'a', value: expect.objectContaining({ count: 1 }), dueAt: '2026-01-01T00:01:00.000Z' }],
    })
    expect(await pipeline.state('work', 'other').get('a')).toBeUndefined()
    await expect(pipeline.state('work', 'aggregate').at({ sequence: 1 }, 'a')).rejects.toThrow(
      /does not follow from the log alone/,
    )
  })

  test('has everything that was settled when the call began, before it was stored by itself', async () => {
    const { start, store, platform } = await world()
    const projected = sums()
    const pipeline = await start(projected)
    await pipeline.publish({ source: 's', id: 'x', type: 'paid', subject: 'a', data: { amount: 1 } })
    await platform.advance(6)
    expect(await store.kept('sums', { stage: 'projection', keys: ['a'] })).toEqual([])
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 1, count: 1 })
  })
})

// S3-14
describe('state at a moment', () => {
  async function history() {
    const { start, append, platform, store } = await world()
    const begun = platform.clock.now()
    await append([1, 2])
    await append([10], 'b')
    await platform.advance(60_000)
    await append([4])
    const at = (seconds: number) => new Date(begun + seconds * 1000).toISOString()
    return { start, append, platform, store, at }
  }

  test('is what it was after an event, or before a time, of one key or of all', async () => {
    const { start, platform, at } = await history()
    const projected = sums()
    const pipeline = await start(projected)
    await platform.advance(100)
    const state = projected.of(pipeline)
    expect(await state.at({ sequence: 1 }, 'a')).toEqual({ sum: 1, count: 1 })
    expect(await state.at({ sequence: 3 }, 'a')).toEqual({ sum: 3, count: 2 })
    expect(await state.at({ sequence: 99 }, 'a')).toEqual({ sum: 7, count: 3 })
    expect(await state.at({ sequence: 0 }, 'a')).toBeUndefined()
    expect(await state.at({ time: at(1) }, 'a')).toEqual({ sum: 3, count: 2 })
    expect(await state.at({ time: at(60) }, 'a')).toEqual({ sum: 3, count: 2 })
    expect(await state.at({ time: at(61) }, 'a')).toEqual({ sum: 7, count: 3 })
    expect(await state.at({ time: at(-1) }, 'a')).toBeUndefined()
    expect([...(await state.allAt({ sequence: 3 }))]).toEqual([
      ['a', { sum: 3, count: 2 }],
      ['b', { sum: 10, count: 1 }],
    ])
    await expect(state.at({ time: 'yesterday' }, 'a')).rejects.toMatchObject({ code: 'bad-request' })
    await expect(state.at({ sequence: -1 }, 'a')).rejects.toMatchObject({ code: 'bad-request' })
    // Nothing of it is stored.
    expect(await state.get('a')).toEqual({ sum: 7, count: 3 })
  })

  test('knows keys of its own, removed ones, and only the events that the projection reads', async () => {
    const { start, append, platform } = await history()
    const projected = sums(1, {
      key: ({ data }) => (data.amount % 2 === 0 ? 'even' : 'odd'),
      where: 'data.amount < 100',
      fold: ({ sum, count }, { data }) => (data.amount === 0 ? null : { sum: sum + data.amount, count: count + 1 }),
    })
    await append([100, 0, 8])
    const pipeline = await start(projected)
    await platform.advance(100)
    const state = projected.of(pipeline)
    expect(await state.at({ sequence: 5 }, 'even')).toEqual({ sum: 16, count: 3 })
    expect(await state.at({ sequence: 6 }, 'even')).toBeUndefined()
    expect([...(await state.allAt({ sequence: 7 }))].sort()).toEqual([
      ['even', { sum: 8, count: 1 }],
      ['odd', { sum: 1, count: 1 }],
    ])
  })

  test('says which event cannot be folded, and where the log begins too late, unless it is forced', async () => {
    const { start, platform, store } = await history()
    const projected = sums(1, {
      fold({ sum, count }, { data }) {
        if (data.amount === 4) throw new Error('not 4')
        return { sum: sum + data.amount, count: count + 1 }
      },
    })
    const pipeline = await start(projected)
    await platform.advance(100)
    const state = projected.of(pipeline)
    await expect(state.at({ sequence: 4 }, 'a')).rejects.toThrow(/folding event 4 for sums failed: .* not 4/)
    expect(await state.at({ sequence: 4 }, 'b')).toEqual({ sum: 10, count: 1 })
    await store.prune({ events: 1 })
    await expect(state.at({ sequence: 3 }, 'a')).rejects.toThrow(/begins with event 1, and the log now with event 2/)
    expect(await state.at({ sequence: 3 }, 'a', { force: true })).toEqual({ sum: 2, count: 1 })
    const signal = AbortSignal.abort(new Error('given up'))
    await expect(state.at({ sequence: 3 }, 'a', { force: true, signal })).rejects.toThrow('given up')
  })
})
