import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openPipeline } from '../index.ts'
import { sqlite } from '../stores/sqlite.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { createHandler } from './handler.ts'
import { adminToken, limits, openTestServer, order } from './server.test-support.ts'

const admin = { authorization: `Bearer ${adminToken}` }

/** A server on a store in which `gone` was configured once and has a dead letter. */
async function opened() {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-drop-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const store = sqlite({ path: join(folder, 'events.db') })
  const sink = recordingSink({ outcomes: () => ({ outcome: 'reject', reason: 'no' }) })
  const before = await openPipeline({ store, subscriptions: { gone: { sink }, stays: { sink: recordingSink() } } })
  await before.publish(order('1') as never)
  await before.idle()
  await before.stop()
  return openTestServer({ store, subscriptions: { stays: { sink: recordingSink() } } } as never)
}

test('a retired subscription is dropped by an admin: 204, and then it is not known', async () => {
  const { call, pipeline } = await opened()
  expect(await pipeline.subscription('gone')).toMatchObject({ state: 'retired', counters: { dead: 1 } })
  expect((await call('/v1/subscriptions/gone', { method: 'DELETE' })).status).toBe(401)
  const both = await Promise.all([1, 2].map(() => call('/v1/subscriptions/gone', { method: 'DELETE', headers: admin })))
  expect(both.map(({ status }) => status)).toContain(204)
  expect((await call('/v1/subscriptions/gone')).status).toBe(404)
  expect((await call('/v1/subscriptions/gone', { method: 'DELETE', headers: admin })).status).toBe(404)
  expect((await pipeline.subscriptions()).map(({ name }) => name)).toEqual(['stays'])
  expect((await pipeline.audit()).ok).toBe(true)
})

test('one that the configuration names is not: 409, and it goes on', async () => {
  const { call, pipeline } = await opened()
  const answer = await call('/v1/subscriptions/stays', { method: 'DELETE', headers: admin })
  expect([answer.status, await answer.json()]).toEqual([
    409,
    expect.objectContaining({ code: 'state-conflict', detail: expect.stringContaining('stays') }),
  ])
  expect(await pipeline.subscription('stays')).toMatchObject({ state: 'running' })
})

test('the fetch handler answers the same', async () => {
  const { pipeline } = await opened()
  const handler = createHandler(pipeline, { limits, adminToken })
  const ask = (name: string) =>
    handler(new Request(`http://127.0.0.1/v1/subscriptions/${name}`, { method: 'DELETE', headers: admin }))
  const answers = [await ask('gone'), await ask('stays'), await ask('nobody')]
  expect(answers.map(({ status }) => status)).toEqual([204, 409, 404])
  expect(await answers[0]!.text()).toBe('')
})
