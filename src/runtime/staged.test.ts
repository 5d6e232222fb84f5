import { describe, expect, test } from 'vitest'
import type { StageResult } from '../plugin/stage.ts'
import { scriptedSource } from '../testing/scripted-source.ts'
import { type Answer, ack, later, order, staged, storeKinds } from './staged.test-support.ts'

const ids = ['1', '2', '3', '4', '5']

describe.each(storeKinds)('a staged subscription on the %s store', (kind) => {
  // S1-02
  test('works on nothing that is not stored', async () => {
    const inLog: unknown[] = []
    const { pipeline, ran, publish } = await staged(kind, {
      async look({ event }) {
        const [stored] = await pipeline.store.read(event.sequence - 1, 1)
        inLog.push(stored?.id)
        return ack
      },
    })
    await publish('1', '2')
    expect(inLog).toEqual(['1', '2'])
    pipeline.failStore('disk full')
    await expect(publish('3')).rejects.toMatchObject({ code: 'store-full' })
    await pipeline.clock.advance('1h')
    expect(ran).toEqual(['look 1', 'look 2'])
  })

  // S1-01 S1-03
  test('takes what was stored before a crash, in the order of the log, before what its source brings then', async () => {
    const source = scriptedSource()
    const { pipeline, ran, counters } = await staged(kind, { work: () => ack }, source)
    pipeline.crashAt('during-stage', { nth: 2 })
    source.push({ events: ['1', '2', '3'].map(order) })
    await pipeline.idle()
    expect(pipeline.hasCrashed).toBe(true)
    ran.length = 0
    source.push({ events: ['4', '5'].map(order) })
    await pipeline.restart()
    await pipeline.clock.advance('1m')
    expect(ran).toEqual([...ran].sort())
    expect(new Set(ran.slice(-4))).toEqual(new Set(['work 2', 'work 3', 'work 4', 'work 5']))
    expect(await counters()).toMatchObject({ delivered: 5, open: 0 })
    expect(source.reads).toEqual([undefined, '1'])
  })

  // S1-04
  test('keeps the order of arrival over updates, retries and restarts', async () => {
    const { pipeline, ran, publish } = await staged(kind, {
      update: ({ event }) => ({ outcome: 'ack', event: { data: { of: event.id } }, context: { seen: true } }),
      wait: ({ attempt }) => (attempt < 3 ? later : ack),
    })
    await publish(...ids)
    await pipeline.clock.advance('1s')
    await pipeline.restart()
    await pipeline.clock.advance('1s')
    const waits = ran.filter((line) => line.startsWith('wait'))
    expect(waits).toEqual([0, 1, 2].flatMap((round) => ids.map((id) => `wait ${id}${round === 0 ? '' : ' again'}`)))
  })

  // S1-05
  test('gives an event that is being worked on to nobody a second time', async () => {
    const slow = Promise.withResolvers<StageResult>()
    const { pipeline, ran, publish, counters } = await staged(kind, {
      slow: () => slow.promise,
    })
    await publish('1')
    await publish('1')
    await pipeline.pause('work')
    await pipeline.resume('work')
    await pipeline.clock.advance('10s')
    expect(ran).toEqual(['slow 1'])
    slow.resolve(ack)
    await pipeline.idle()
    expect([ran, await counters()]).toMatchObject([['slow 1'], { delivered: 1, open: 0 }])
  })

  // S1-06
  test('an event that was being worked on at a crash is pending again', async () => {
    const { pipeline, ran, publish, counters } = await staged(kind, { work: () => ack })
    pipeline.crashAt('during-stage')
    await publish('1').catch(() => undefined)
    expect(pipeline.hasCrashed).toBe(true)
    await pipeline.restart()
    await pipeline.clock.advance('1s')
    expect([ran.length, await counters()]).toMatchObject([2, { delivered: 1, open: 0 }])
  })

  // S1-20 S1-32
  test('goes on, after a restart, at the first stage that is not done, for each event its own', async () => {
    const stuck =
      (at: string): Answer =>
      ({ event }) =>
        isStuck && event.id === at ? later : ack
    const { pipeline, ran, publish, counters } = await staged(kind, { a: stuck('1'), b: stuck('2'), c: stuck('3') })
    let isStuck = true
    await publish('1', '2', '3')
    const rows = await pipeline.store.rows('work', { limit: 10 })
    expect(rows.map(({ sequence, done }) => [sequence, done])).toEqual([
      [1, []],
      [2, ['a']],
      [3, ['a', 'b']],
    ])
    ran.length = 0
    isStuck = false
    await pipeline.restart()
    await pipeline.clock.advance('1s')
    const of = (id: string) => ran.map((line) => line.split(' ')).filter((words) => words[1] === id)
    expect(['1', '2', '3'].map((id) => of(id).map(([name]) => name))).toEqual([['a', 'b', 'c'], ['b', 'c'], ['c']])
    expect(await counters()).toMatchObject({ delivered: 3, open: 0 })
  })

  // S1-21
  test('ends an event when its last stage acknowledges it: nothing is left but its history', async () => {
    const { pipeline, ran, publish } = await staged(kind, { first: () => ack, last: () => ack })
    await publish('1')
    expect(await pipeline.deliveries('work')).toMatchObject([{ id: '1', state: 'delivered' }])
    expect(await pipeline.store.rows('work', { limit: 10 })).toEqual([])
    await pipeline.restart()
    await pipeline.clock.advance('1h')
    expect(ran).toEqual(['first 1', 'last 1'])
    expect(await pipeline.audit()).toMatchObject({ ok: true })
  })

  // S1-22 S1-26
  test('an event that is not done stays in its stage and comes again, and the others overtake it', async () => {
    const { pipeline, ran, publish } = await staged(kind, {
      wait: ({ event, attempt }) => (event.id === '1' && attempt === 1 ? later : ack),
      next: () => ack,
    })
    await publish('1', '2')
    expect(ran).toEqual(['wait 1', 'wait 2', 'next 2'])
    await pipeline.clock.advance('1s')
    expect(ran.slice(3)).toEqual(['wait 1 again', 'next 1'])
  })

  // S1-27
  test('an event may be not done for as long as it likes', async () => {
    const { pipeline, ran, publish, counters } = await staged(kind, {
      wait: ({ attempt }) => (attempt <= 300 ? later : ack),
    })
    await publish('1')
    await pipeline.clock.advance('299s')
    expect([ran.length, await counters()]).toMatchObject([300, { open: 1, dead: 0 }])
    await pipeline.clock.advance('1s')
    expect(await counters()).toMatchObject({ delivered: 1, open: 0 })
  })

  // S1-72
  test('however many events fail again and again, those that come after them have their turn', async () => {
    const { pipeline, ran, publish } = await staged(kind, {
      fail: ({ event }) => (event.id.startsWith('bad') ? later : ack),
    })
    await pipeline.publish(Array.from({ length: 600 }, (_, n) => order(`bad-${n}`)))
    await pipeline.clock.advance('20s')
    await pipeline.publish([order('good'), order('bad-late')])
    await pipeline.clock.advance('20s')
    expect(ran).toContain('fail good')
    expect(ran).toContain('fail bad-late again')
    // Nor does one of the failing take the turns of the others.
    const tries = new Map(Array.from({ length: 600 }, (_, n) => [`bad-${n}`, 0]))
    for (const line of ran) tries.set(line.split(' ')[1]!, (tries.get(line.split(' ')[1]!) ?? 0) + 1)
    expect(Math.min(...[...tries].filter(([id]) => id !== 'good').map(([, count]) => count))).toBeGreaterThan(15)
    await publish('good-too')
    expect(ran).toContain('fail good-too')
  })

  // S1-23
  test.each(['first', 'second', 'third'])('a discard in the %s stage ends the event there and then', async (where) => {
    const answer =
      (name: string): Answer =>
      () =>
        name === where ? { outcome: 'discard', reason: 'enough' } : ack
    const names = ['first', 'second', 'third']
    const { pipeline, ran, publish } = await staged(kind, Object.fromEntries(names.map((name) => [name, answer(name)])))
    await publish('1')
    const past = names.slice(0, names.indexOf(where) + 1).map((name) => `${name} 1`)
    expect(ran).toEqual(past)
    expect(await pipeline.deliveries('work')).toMatchObject([{ state: 'discarded', reason: 'enough' }])
    await pipeline.restart()
    await pipeline.clock.advance('1h')
    expect(ran).toEqual(past)
  })

  // S1-74
  test.each(['disk full', 'i/o error'] as const)('an end that cannot be stored (%s) is stored later', async (how) => {
    const { pipeline, ran, counters } = await staged(kind, {
      first: () => ack,
      last() {
        pipeline.failStore(how, 3)
        return ack
      },
    })
    await pipeline.publish(order('1'))
    await pipeline.clock.advance('1m')
    expect(ran).toEqual(['first 1', 'last 1'])
    expect(await counters()).toMatchObject({ delivered: 1, open: 0 })
    await pipeline.restart()
    await pipeline.clock.advance('1m')
    expect(ran).toEqual(['first 1', 'last 1'])
    expect(await pipeline.audit()).toMatchObject({ ok: true })
  })
})
