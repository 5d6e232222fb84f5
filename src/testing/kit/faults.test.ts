import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defineSource } from '../../plugin/define.ts'
import { schema } from '../../plugin/schema.ts'
import { stage } from '../../plugin/stage-function.ts'
import type { Commit } from '../../plugin/store.ts'
import { memory } from '../../stores/memory.ts'
import { sqlite } from '../../stores/sqlite.ts'
import { recordingSink } from '../recording-sink.ts'
import { testPipeline } from './test-pipeline.ts'

const order = { source: 'shop', id: '1', type: 'order.placed', subject: 'o-1', data: { total: 120 } }

test('a full disk refuses what is published and holds up the ledgers, and nothing is lost when it is over', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  pipeline.failStore('disk full')
  await expect(pipeline.publish(order)).rejects.toMatchObject({ code: 'store-full' })
  pipeline.failStore('answer lost')
  await expect(pipeline.publish(order)).rejects.toMatchObject({ code: 'store-indeterminate' })
  expect((await pipeline.publish(order)).status).toBe('duplicate')
  pipeline.failStore('i/o error', 3)
  await pipeline.clock.advance('10s')
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'delivered', attempts: 1 }])
  expect(pipeline.log.lines.map(({ message }) => message)).toEqual(['writing the ledgers failed; it is tried again'])
})

test('an event whose write had an unknown end is delivered if it is there, without another one having to come', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  pipeline.failStore('answer lost')
  await expect(pipeline.publish(order)).rejects.toMatchObject({ code: 'store-indeterminate' })
  await pipeline.idle()
  expect(sink.sequences).toEqual([1])
})

test('the first write of the ledgers after a restart is made again when it fails', async () => {
  const deadly = stage('deadly', async () => undefined)
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { stages: [deadly] } } })
  await pipeline.publish(order)
  pipeline.crash()
  // From now on it runs alone. The write that counts the second crash is the only one of its process.
  pipeline.crashAt('during-stage')
  await pipeline.restart()
  await pipeline.idle()
  pipeline.failStore('answer lost')
  await pipeline.restart()
  pipeline.crash()
  pipeline.failStore('disk full')
  await pipeline.restart()
  await pipeline.clock.advance('10s')
  expect(await pipeline.dead('crm')).toHaveLength(1)
  expect((await pipeline.events()).map(({ type }) => type)).toEqual(['order.placed', 'millrace.dead'])
  expect(await pipeline.audit()).toMatchObject({ ok: true })
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
    const calls: string[] = []
    const stages = ['first', 'second'].map((name) => stage(name, async () => void calls.push(name)))
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
