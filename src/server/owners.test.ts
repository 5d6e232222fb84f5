import { expect, test } from 'vitest'
import { pull } from '../sinks/pull.ts'
import { dedupe } from '../stages/dedupe.ts'
import { memory } from '../stores/memory.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { type Route, routes } from './contract.ts'
import { adminToken, as, openTestServer, order } from './server.test-support.ts'

const headers = { ...as(adminToken), 'content-type': 'application/json' }

/** What belongs to a subscription and has an id of its own: of `mine`, and of `other`, which has the same kinds of things. */
async function opened() {
  const refusing = () => recordingSink({ outcomes: () => ({ outcome: 'reject', reason: 'no' }) })
  const stages = [dedupe({ by: 'event.subject', within: '1h' })]
  const server = await openTestServer({
    store: memory(),
    subscriptions: {
      'mine-sent': { match: ['a.*'], stages, sink: refusing() },
      'other-sent': { match: ['b.*'], stages, sink: refusing() },
      'mine-fetched': { match: ['a.*'], sink: pull({}) },
      'other-fetched': { match: ['b.*'], sink: pull({}) },
    },
  })
  const send = async (method: string, path: string, body?: unknown) => {
    const answer = await server.call(path, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
  }
  await server.publish([order('1', { type: 'a.b', subject: 'key-of-mine' }), order('2', { type: 'b.b', subject: 'x' })])
  await server.pipeline.idle()
  const { body: batch } = await send('POST', '/v1/subscriptions/mine-fetched/batches', { lease: '1m' })
  const { body: replay } = await send('POST', '/v1/subscriptions/mine-sent/replay', { from: 1, to: 1, rate: '1/m' })
  const ids: Readonly<Record<string, string>> = {
    batch: String(batch['batch']),
    id: String(replay['id']),
    stage: 'dedupe',
    key: 'key-of-mine',
  }
  const pathOf = (path: string, owner: string) => {
    const name = `${owner}-${path.includes('{batch}') ? 'fetched' : 'sent'}`
    return path.replace('{name}', name).replaceAll(/\{(\w+)\}/g, (_, part: string) => ids[part]!)
  }
  return { ...server, send, pathOf, receipt: batch['receipt'] }
}

/** Routes to a thing of a subscription. */
const owned = Object.values<Route>(routes).filter(({ path }) => /\{name\}.*\{(batch|id|key)\}/.test(path))

// SEC-54
test('what belongs to one subscription does not exist under the name of another', async () => {
  const { send, pathOf, receipt, pipeline } = await opened()
  expect(owned.length).toBeGreaterThanOrEqual(8)
  for (const { method, path } of owned) {
    const body = path.includes('{batch}') ? { receipt } : undefined
    expect((await send(method, pathOf(path, 'other'), body)).status, `${method} ${path}`).toBe(404)
  }
  for (const { method, path } of owned.filter((route) => route.method === 'GET' || route.path.endsWith('/confirm'))) {
    const body = path.includes('{batch}') ? { receipt } : undefined
    expect((await send(method, pathOf(path, 'mine'), body)).status, `${method} ${path}`).toBe(200)
  }
  for (const act of ['redrive', 'discard']) {
    expect(await send('POST', `/v1/subscriptions/other-sent/dead/${act}`, { sequences: [1] })).toMatchObject({
      status: 200,
    })
  }
  expect((await pipeline.dead('mine-sent', { limit: 10 })).map(({ sequence }) => sequence)).toEqual([1])
})
