import { describe, expect, test } from 'vitest'
import { event, policy } from '../engine-fixture.test-support.ts'
import { replayed, startWith } from './replay-fixture.test-support.ts'

const where = {
  text: 'data.i > 2',
  test: ({ data }: { data: unknown }) => (data as { i: number }).i > 2,
  explain: () => 'no',
}

describe('a dry run', () => {
  const sets = [
    { from: 1 },
    { from: 5, to: 30 },
    { from: 1, match: ['order.*'] },
    { from: 1, match: ['order.placed', 'user.*'], subject: ['a'] },
    { from: 1, subject: ['a', 'b'] },
    { from: 2, source: ['till'] },
    { from: 2, source: ['shop', 'nowhere'] },
    { from: 1, match: ['millrace.*'] },
  ]

  test.each(sets)('of %j counts exactly what the run then delivers', async (options) => {
    // K8, sceptic 7
    const { engine, received } = await startWith([
      { policy: policy('s', { where, from: ['shop', 'till'], match: ['*', 'millrace.dead'] }) },
    ])
    const types = ['order.placed', 'order.paid', 'user.made']
    await engine.publish(
      Array.from({ length: 60 }, (_, i) =>
        event(i, {
          type: types[i % 3]!,
          subject: i % 5 === 0 ? undefined : ['a', 'b', 'c'][i % 4],
          source: ['shop', 'till', 'door'][i % 7 < 3 ? i % 3 : 0]!,
        }),
      ),
    )
    await engine.idle()
    const before = received.get('s')!.length
    const { count, sample, next } = await engine.dryRunReplay('s', options)
    expect(received.get('s')).toHaveLength(before)
    expect(next).toBeUndefined()
    expect(sample).toHaveLength(Math.min(10, count))
    if (count === 0) return engine.stop()
    const { id, counts } = await replayed(engine, 's', options)
    expect(counts).toMatchObject({ matched: count, delivered: count })
    const again = received.get('s')!.filter(({ event }) => event.replayid === id)
    expect(again).toHaveLength(count)
    expect(again.slice(0, 10).map(({ event: { sequence } }) => sequence)).toEqual(
      sample.map(({ sequence }) => sequence),
    )
    await engine.stop()
  })

  test('counts over many pages', async () => {
    const { engine } = await startWith([{ policy: policy('s', { match: ['a'] }) }])
    for (let page = 0; page < 5; page++)
      await engine.publish(
        Array.from({ length: 1000 }, (_, i) => event(page * 1000 + i, { type: i % 3 === 0 ? 'a' : 'b' })),
      )
    await engine.idle()
    expect(await engine.dryRunReplay('s', { from: 1 })).toMatchObject({ from: 1, to: 5000, count: 1670 })
    await engine.stop()
  })
})
