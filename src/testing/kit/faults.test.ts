import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defineSource } from '../../plugin/define.ts'
import { schema } from '../../plugin/schema.ts'
import { stage } from '../../plugin/stage-function.ts'
import type { Commit } from '../../plugin/store.ts'
import { pull } from '../../sinks/pull.ts'
import { memory } from '../../stores/memory.ts'
import { sqlite } from '../../stores/sqlite.ts'
import { recordingSink } from '../recording-sink.ts'
import { scriptedSource } from '../scripted-source.ts'
import { testPipeline } from './test-pipeline.ts'

const order = { source: 'shop', id: '1', type: 'order.placed', subject: 'o-1', data: { total: 120 } }

/** Stages that count their calls. */
function counting(...names: string[]) {
  const calls: string[] = []
  const stages = names.map((name) =>
    stage(name, async ({ context }) => {
      calls.push(name)
      return { outcome: 'ack', context: { ...context, [name]: calls.length } }
    }),
  )
  return { calls, stages }
}

// K1
test('crash before commit: nothing is stored, and a source reads again from its old cursor', async () => {
  const inbox = scriptedSource()
  await using pipeline = await testPipeline({ store: memory(), sources: { inbox } })
  inbox.push({ events: [{ id: '1', type: 'a' }] })
  await pipeline.idle()
  pipeline.crashAt('before-commit')
  inbox.push({ events: [{ id: '2', type: 'a' }] })
  await pipeline.idle()
  expect(pipeline.hasCrashed).toBe(true)
  expect(await pipeline.events()).toHaveLength(1)
  await pipeline.restart()
  await pipeline.idle()
  expect(inbox.reads).toEqual([undefined, '1'])
  expect((await pipeline.events()).map(({ id }) => id)).toEqual(['1', '2'])
})

// K3
test('crash after commit before ack: the publisher gets no answer, the event is delivered, and comes again as a duplicate', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  pipeline.crashAt('after-commit-before-ack')
  await expect(pipeline.publish(order)).rejects.toMatchObject({ code: 'store-indeterminate' })
  expect(sink.received).toEqual([])
  await pipeline.restart()
  await pipeline.idle()
  expect(sink.sequences).toEqual([1])
  expect(await pipeline.publish(order)).toMatchObject({ status: 'duplicate', sequence: 1 })
})

// K4, K5, K6
test.each([
  ['during-stage', ['first', 'second', 'second']],
  ['after-stage-before-commit', ['first', 'second', 'second']],
  ['after-stage-commit', ['first', 'second', 'third']],
] as const)('crash %s: what is stored is not done again, what is not is', async (point, expected) => {
  const { calls, stages } = counting('first', 'second', 'third')
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { stages, sink } } })
  pipeline.crashAt(point, { subscription: 'crm', stage: 'second' })
  await pipeline.publish(order)
  await pipeline.idle()
  expect(pipeline.hasCrashed).toBe(true)
  expect(sink.received).toEqual([])
  await pipeline.restart()
  await pipeline.idle()
  expect(calls.slice(0, 3)).toEqual(expected)
  expect(sink.received).toHaveLength(1)
  expect(Object.keys(sink.received[0]!.context)).toEqual(['first', 'second', 'third'])
})

// K7, K8
test.each(['during-sink', 'after-sink-before-commit'] as const)(
  'crash %s: the sink is called again with the same message id',
  async (point) => {
    const sink = recordingSink()
    const { calls, stages } = counting('only')
    await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { stages, sink } } })
    pipeline.crashAt(point, { nth: 2 })
    await pipeline.publish([order, { ...order, id: '2' }])
    await pipeline.idle()
    await pipeline.restart()
    await pipeline.idle()
    expect(calls).toHaveLength(2)
    const second = sink.received.filter(({ event }) => event.id === '2')
    expect(second).toHaveLength(2)
    expect(new Set(second.map(({ messageId }) => messageId)).size).toBe(1)
    expect((await pipeline.audit()).ok).toBe(true)
  },
)

// K9
test('a failed attempt that is not stored is not counted, and stored due times stand', async () => {
  const sink = recordingSink({ outcomes: () => ({ outcome: 'retry', reason: 'busy' }) })
  const retry = { attempts: 5, delays: ['1h'], jitter: 0 }
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink, retry } } })
  await pipeline.publish(order)
  await pipeline.idle()
  pipeline.crash()
  await pipeline.restart()
  await pipeline.clock.advance('59m')
  expect(sink.received).toHaveLength(1)
  pipeline.crashAt('after-sink-before-commit')
  await pipeline.clock.advance('2m')
  await pipeline.restart()
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'waiting', attempts: 2 }])
  expect(sink.received).toHaveLength(3)
})

// K10, K11
test('a lease and a confirm whose answers were lost are there', async () => {
  const sink = pull({ lease: '1m' })
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { work: { sink } } })
  await pipeline.publish(order)
  await pipeline.idle()
  pipeline.crashAt('after-lease-before-answer')
  await expect(pipeline.batches('work').fetchBatch()).rejects.toMatchObject({ code: 'store-indeterminate' })
  await pipeline.restart()
  expect(await pipeline.batches('work').fetchBatch()).toBeUndefined()
  await pipeline.clock.advance('1m')
  const { batch, receipt } = (await pipeline.batches('work').fetchBatch())!
  pipeline.crashAt('after-confirm-before-answer')
  await expect(pipeline.batches('work').confirm(batch, { receipt })).rejects.toMatchObject({
    code: 'store-indeterminate',
  })
  await pipeline.restart()
  expect(await pipeline.batches('work').confirm(batch, { receipt })).toEqual({ confirmed: 0 })
  expect(await pipeline.deliveries('work')).toMatchObject([{ state: 'delivered' }])
})

// K12
test('crash after a coalesced delivery was sent: the latest is sent again, and no superseded one', async () => {
  const sink = recordingSink()
  const coalesce = { window: '10s' }
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { coalesce, sink } } })
  await pipeline.publish([order, { ...order, id: '2' }, { ...order, id: '3' }])
  pipeline.crashAt('after-sink-before-commit')
  await pipeline.clock.advance('10s')
  await pipeline.restart()
  await pipeline.clock.advance('10s')
  expect(sink.sequences).toEqual([3, 3])
  expect((await pipeline.deliveries('crm')).map(({ state }) => state)).toEqual([
    'superseded',
    'superseded',
    'delivered',
  ])
})

test('a full disk refuses what is published and holds up the ledgers, and nothing is lost when it is over', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  pipeline.failStore('disk full')
  await expect(pipeline.publish(order)).rejects.toMatchObject({ code: 'store-full' })
  expect((await pipeline.publish(order)).status).toBe('stored')
  pipeline.failStore('i/o error', 3)
  await pipeline.clock.advance('10s')
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'delivered', attempts: 1 }])
  expect(pipeline.log.lines.map(({ message }) => message)).toEqual(['writing the ledgers failed; it is tried again'])
})

test('what an old process still wants to write is refused by the epoch of the new one', async () => {
  const written: Commit[] = []
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink: recordingSink() } } })
  const { store } = pipeline
  const { commit } = store
  Object.assign(store, {
    commit: (commits: readonly Commit[]) => {
      written.push(...commits)
      return commit(commits)
    },
  })
  await pipeline.publish(order)
  await pipeline.idle()
  const late = written.at(-1)!
  expect(late.ledgers?.some(({ subscription }) => subscription === 'crm')).toBe(true)
  pipeline.crash()
  await pipeline.restart()
  expect(await commit([late])).toMatchObject([{ kind: 'refused', reason: 'stale-epoch' }])
})

test('a crash that never came fails the restart, and says which', async () => {
  await using pipeline = await testPipeline({ store: memory() })
  pipeline.crashAt('after-stage-commit')
  await pipeline.publish(order)
  await expect(pipeline.restart()).rejects.toThrow(/never came to after-stage-commit/)
})

test('a process that runs is stopped cleanly by a restart', async () => {
  const sink = recordingSink({ outcomes: async () => undefined })
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  await pipeline.publish(order)
  await pipeline.restart()
  await pipeline.idle()
  expect(sink.received).toHaveLength(1)
  expect(sink.life).toMatchObject({ opened: 2, closed: 1 })
})

test('the same holds on SQLite: what was stored before a crash is there, and the file is free at the end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const store = sqlite({ path: join(folder, 'events.db') })
  for (const expected of ['stored', 'duplicate']) {
    const { calls, stages } = counting('first', 'second')
    await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { stages } } }, { store })
    expect((await pipeline.publish(order)).status).toBe(expected)
    if (expected === 'duplicate') continue
    pipeline.crashAt('after-stage-commit', { stage: 'first' })
    await pipeline.idle()
    await pipeline.restart()
    await pipeline.idle()
    expect(calls).toEqual(['first', 'second'])
    expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'delivered' }])
  }
})

test('of a crashed process nothing comes any more, however long it is down', async () => {
  const calls: string[] = []
  const twice = stage('twice', async ({ attempt }) => {
    calls.push(`attempt ${attempt}`)
    return { outcome: 'retry', reason: 'not yet' }
  })
  const retry = { attempts: 100, delays: ['1m'], jitter: 0 }
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { stages: [twice], retry } } })
  await pipeline.publish(order)
  await pipeline.idle()
  pipeline.crash()
  await pipeline.clock.advance('1h')
  expect(calls).toEqual(['attempt 1'])
  await pipeline.restart()
  await pipeline.idle()
  // Its time came while the process was down.
  expect(calls).toEqual(['attempt 1', 'attempt 2'])
})

test('a crash can be meant for the start after this one', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  await pipeline.publish(order)
  pipeline.crash()
  pipeline.crashAt('during-sink')
  await pipeline.restart()
  await pipeline.idle()
  expect(pipeline.hasCrashed).toBe(true)
  await pipeline.restart()
  await pipeline.idle()
  expect(sink.received).toHaveLength(3)
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'delivered' }])
})

test('while the store fails, idle returns, and a look at deliveries says what it waits for', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  await pipeline.publish(order)
  pipeline.failStore('disk full', Number.POSITIVE_INFINITY)
  await pipeline.idle()
  expect(sink.received).toHaveLength(1)
  await expect(pipeline.deliveries('crm')).rejects.toThrow(/waits for the store, which fails; call clock\.advance/)
  pipeline.failStore('disk full', 0)
  await pipeline.clock.advance('10s')
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'delivered' }])
  await pipeline.close()
  await pipeline.close()
})

test('what a sink or stage still does after the crash of its process counts for nothing', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const slow = recordingSink({ outcomes: () => promise.then(() => undefined) })
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink: slow } } })
  await pipeline.publish([order, { ...order, id: '2' }])
  pipeline.crash()
  resolve()
  await pipeline.idle()
  const [ledger] = (await pipeline.store.ledgers()).filter(({ subscription }) => subscription === 'crm')
  expect(ledger?.counters.delivered).toBe(0)
  await pipeline.restart()
  await pipeline.idle()
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'delivered' }, { state: 'delivered' }])
})

test('what a source keeps for itself ends with its process as well', async () => {
  let crash = () => {}
  const keeper = defineSource({
    name: 'keeper',
    summary: 'Keeps how far it is in three steps.',
    options: schema.strictObject({}).optional(),
    example: {},
    create: () => ({
      async *read(_cursor, { state }) {
        await state.set('step', '1')
        crash()
        await state.set('step', '2')
        yield { events: [{ id: '1', type: 'a' }] }
      },
    }),
  })
  await using pipeline = await testPipeline({ store: memory(), sources: { inbox: keeper() } })
  await pipeline.idle()
  expect(await pipeline.store.state.get('inbox', 'step')).toBe('2')
  crash = () => pipeline.crash()
  await pipeline.restart()
  await pipeline.idle()
  expect(pipeline.hasCrashed).toBe(true)
  expect(await pipeline.store.state.get('inbox', 'step')).toBe('1')
})
