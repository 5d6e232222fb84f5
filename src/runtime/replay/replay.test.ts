import { describe, expect, test } from 'vitest'
import { Event } from '../../core/event.ts'
import { engineWith, event, events, policy, until } from '../engine-fixture.test-support.ts'
import { lastingStore, rate, replayed, replayIds, stands, startWith } from './replay-fixture.test-support.ts'

const where = {
  text: 'data.i > 2',
  test: ({ data }: { data: unknown }) => (data as { i: number }).i > 2,
  explain: () => 'no',
}

describe('a replay', () => {
  test('delivers again what the subscription reads of the range, and live traffic is left alone', async () => {
    // G13 G14
    const { engine, received } = await startWith([{ policy: policy('s', { where }) }, { policy: policy('other') }])
    await engine.publish(events(10))
    await engine.idle()
    const status = await replayed(engine, 's', { from: 1, to: 8 })
    expect(status).toMatchObject({
      state: 'done',
      from: 1,
      to: 8,
      total: 8,
      counts: { examined: 8, matched: 5, delivered: 5, dead: 0, open: 0 },
    })
    const again = received.get('s')!.filter(({ event }) => event.replayid === status.id)
    expect(again.map(({ event: { id } }) => id)).toEqual(['e3', 'e4', 'e5', 'e6', 'e7'])
    expect(received.get('s')).toHaveLength(7 + 5)
    expect(received.get('other')).toHaveLength(10)
    expect(await engine.subscription('s')).toMatchObject({ counters: { delivered: 7 } })
    expect((await engine.audit()).problems).toEqual([])
    await engine.stop()
  })

  test('delivers under ids of its own, the same over its attempts', async () => {
    // G13 G15
    let failures = 3
    const { engine, received } = await startWith([
      {
        policy: policy('s'),
        answer: ({ event }) => (event.replayid !== undefined && failures-- > 0 ? { outcome: 'retry' } : undefined),
      },
    ])
    await engine.publish(events(3))
    await engine.idle()
    const live = received.get('s')!.map(({ messageId }) => messageId)
    const { id } = await replayed(engine, 's', { from: 1 })
    const again = replayIds(received.get('s')!, id)
    expect(again).toHaveLength(6)
    expect(new Set(again)).toEqual(new Set(live.map((messageId) => `${messageId}_${id}`)))
    const other = await replayed(engine, 's', { from: 1 })
    expect(replayIds(received.get('s')!, other.id)).toHaveLength(3)
    await engine.stop()
  })

  test('takes its range when it begins: what is published meanwhile is live traffic only', async () => {
    const { engine, received } = await startWith([{ policy: policy('s') }])
    await engine.publish(events(5))
    await engine.idle()
    const job = await engine.replay('s', { from: 3, rate })
    await engine.publish(event(99))
    await stands(engine, job, 'done')
    await engine.idle()
    expect(replayIds(received.get('s')!, job.id)).toHaveLength(3)
    expect(received.get('s')!.filter(({ event: { id } }) => id === 'e99')).toHaveLength(1)
    await engine.stop()
  })

  test('runs the stages again; what they derive is new, and says whose it is', async () => {
    const { engine, received } = await startWith([
      {
        policy: policy('s', { match: ['order.*'] }),
        stages: {
          split: ({ event }) => ({ outcome: 'ack', derive: [{ type: 'order.part', data: event.data ?? null }] }),
        },
      },
      { policy: policy('parts', { from: ['millrace:/s'] }) },
    ])
    await engine.publish(events(2))
    await engine.idle()
    const { id, counts } = await replayed(engine, 's', { from: 1 })
    await engine.idle()
    // The derived ones are in the range as well: a subscription does not read its own.
    expect(counts).toMatchObject({ delivered: 2 })
    const ids = received.get('parts')!.map(({ event }) => `${event.source} ${event.id}`)
    expect(ids.sort()).toEqual([
      'millrace:/s e0/split/0',
      `millrace:/s e0/split/0/${id}`,
      'millrace:/s e1/split/0',
      `millrace:/s e1/split/0/${id}`,
    ])
    await engine.stop()
  })

  test('keeps the order of the subscription', async () => {
    // G16
    const { engine, received } = await startWith([
      {
        policy: policy('s', { ordering: 'key', concurrency: 8 }),
        answer: async ({ event, attempt }) =>
          event.replayid !== undefined && attempt === 1 && event.id === 'e2' ? { outcome: 'retry' } : undefined,
      },
    ])
    await engine.publish(Array.from({ length: 12 }, (_, i) => event(i, { subject: `k${i % 2}` })))
    await engine.idle()
    const { id } = await replayed(engine, 's', { from: 1 })
    const of = (subject: string): string[] =>
      received
        .get('s')!
        .filter(({ event }) => event.replayid === id && event.subject === subject)
        .map((d) => d.event.id)
    expect(of('k0')).toEqual(['e0', 'e2', 'e2', 'e4', 'e6', 'e8', 'e10'])
    expect(of('k1')).toEqual(['e1', 'e3', 'e5', 'e7', 'e9', 'e11'])
    await engine.stop()
  })

  test('reads old events in the version that the subscription is given', async () => {
    const see = (given: Event): Event =>
      new Event({ ...given.record, data: JSON.stringify({ i: Number(given.id.slice(1)) + 100 }) })
    const more = {
      policy: policy('s', {
        where: { ...where, test: ({ data }: { data: unknown }) => (data as { i: number }).i > 102 },
      }),
    }
    const sent: unknown[] = []
    const { engine } = await engineWith([], await lastingStore(), true, {
      subscriptions: [
        {
          ...more,
          see,
          sinkName: 'x',
          batch: 1,
          isPaused: false,
          runsUserCode: false,
          createSink: () => ({ deliver: ([delivery]) => void sent.push(delivery!.event.data) }),
          createStages: async () => [],
        },
      ],
    })
    await engine.publish(events(5))
    await engine.idle()
    expect(await engine.dryRunReplay('s', { from: 1 })).toMatchObject({ count: 2 })
    expect((await replayed(engine, 's', { from: 1 })).counts).toMatchObject({ delivered: 2 })
    expect(sent.slice(2)).toEqual([{ i: 103 }, { i: 104 }])
    await engine.stop()
  })

  test('takes at most half of the places of the subscription', async () => {
    let [running, most] = [0, 0]
    const { engine } = await startWith([
      {
        policy: policy('s', { concurrency: 6 }),
        answer: async ({ event }) => {
          if (event.replayid === undefined) return undefined
          most = Math.max(most, ++running)
          await new Promise((resolve) => setTimeout(resolve, 2))
          running -= 1
          return undefined
        },
      },
    ])
    await engine.publish(events(40))
    await engine.idle()
    await replayed(engine, 's', { from: 1 })
    expect(most).toBe(3)
    await engine.stop()
  })

  test('of more than memory holds delivers each event once', async () => {
    const { engine, received } = await startWith([{ policy: policy('s', { match: ['a.*'] }) }])
    for (let page = 0; page < 10; page++)
      await engine.publish(
        Array.from({ length: 500 }, (_, i) => event(page * 500 + i, { type: i % 2 === 0 ? 'a.b' : 'c' })),
      )
    await engine.idle()
    const { id, counts } = await replayed(engine, 's', { from: 1 })
    expect(counts).toMatchObject({ examined: 5000, matched: 2500, delivered: 2500 })
    expect(new Set(replayIds(received.get('s')!, id)).size).toBe(2500)
    expect(replayIds(received.get('s')!, id)).toHaveLength(2500)
    await engine.stop()
  })
})

describe('dead letters of a replay', () => {
  test('are its own: listed, put back and discarded under its name', async () => {
    // G20, trap 14
    let isDown = true
    const { engine, received } = await startWith([
      {
        policy: policy('s'),
        answer: ({ event }) =>
          event.replayid !== undefined && isDown && event.sequence <= 2
            ? { outcome: 'reject', reason: 'no' }
            : undefined,
      },
      { policy: policy('trouble', { match: ['millrace.dead'] }) },
    ])
    await engine.publish(events(4))
    await engine.idle()
    const job = await replayed(engine, 's', { from: 1, to: 4 })
    const name = `s/replay/${job.id}`
    expect(job.counts).toMatchObject({ delivered: 2, dead: 2 })
    expect((await engine.dead(name, { limit: 10 })).map(({ sequence }) => sequence)).toEqual([1, 2])
    expect(await engine.dead('s', { limit: 10 })).toEqual([])
    await until(() => received.get('trouble')!.length === 2)
    expect(received.get('trouble')![0]!.event).toMatchObject({
      subject: 's',
      data: { subscription: 's', replay: job.id },
    })
    isDown = false
    expect(await engine.redrive(name, { sequences: [2] })).toEqual({ redriven: 1 })
    await until(async () => (await engine.replayStatus('s', job.id)).counts.delivered === 3)
    const done = await stands(engine, job, 'done')
    expect(done.counts).toMatchObject({ delivered: 3, dead: 1, open: 0 })
    // The same id as at first: it is the same delivery.
    expect(new Set(replayIds(received.get('s')!, job.id)).size).toBe(4)
    expect(await engine.discard(name, { all: true })).toEqual({ discarded: 1 })
    await until(async () => (await engine.replayStatus('s', job.id)).counts.dead === 0)
    await until(async () => (await engine.redrive(name, { all: true })).redriven === 0)
    expect((await engine.audit()).problems).toEqual([])
    await engine.stop()
  })
})

test('explain tells of the deliveries of replays under their subscription', async () => {
  const { engine } = await startWith([
    {
      policy: policy('s', { match: ['order.*'] }),
      answer: ({ event, attempt }) =>
        event.replayid && attempt === 1 ? { outcome: 'retry', reason: 'busy' } : undefined,
    },
    { policy: policy('other', { match: ['*'] }) },
  ])
  await engine.publish([event(1), event(2, { type: 'user.made' })])
  await engine.idle()
  const { id } = await replayed(engine, 's', { from: 1 })
  const told = await engine.explain(1)
  expect(told.deliveries).toMatchObject([
    { subscription: 's', state: 'delivered' },
    { subscription: 'other', state: 'delivered' },
    { subscription: 's', replay: id, state: 'delivered', attempts: [{ outcome: 'retry', reason: 'busy' }] },
  ])
  expect((await engine.explain(1, 's')).deliveries).toHaveLength(2)
  expect((await engine.explain(1, `s/replay/${id}`)).deliveries).toMatchObject([{ subscription: 's', replay: id }])
  // One that the replay left out is not told of.
  expect((await engine.explain(2)).deliveries.filter(({ replay }) => replay !== undefined)).toEqual([])
  await engine.stop()
})

test('a replay is no subscription: neither lists nor counters nor names of subscriptions have it', async () => {
  const { engine } = await startWith([{ policy: policy('s') }])
  await engine.publish(events(2))
  await engine.idle()
  const job = await replayed(engine, 's', { from: 1 })
  expect((await engine.subscriptions()).map(({ name }) => name)).toEqual(['s'])
  expect(Object.keys(engine.stats().subscriptions)).toEqual(['s'])
  const running = await engine.replay('s', { from: 1, rate: '1/h' })
  expect(Object.keys(engine.stats().subscriptions)).toEqual(['s'])
  expect((await engine.subscriptions()).map(({ name }) => name)).toEqual(['s'])
  expect(engine.stats().replays).toMatchObject({ s: { running: 1, paused: 0, failed: 0 } })
  await engine.idle()
  expect((await engine.replays()).map(({ id }) => id)).toEqual([running.id, job.id])
  expect((await engine.audit()).ok).toBe(true)
  await engine.stop()
})
