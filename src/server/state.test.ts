import { describe, expect, test } from 'vitest'
import type { Event } from '../core/event.ts'
import { projection } from '../plugin/projection.ts'
import { memory } from '../stores/memory.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { adminToken, openTestServer } from './server.test-support.ts'

const admin = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }
const counts = projection('counts', {
  match: ['seen'],
  initial: { count: 0 },
  key: ({ data }: Event<{ key: string }>) => data.key,
  fold: ({ count }) => ({ count: count + 1 }),
})

async function opened(keys: readonly string[]) {
  const served = await openTestServer({ store: memory(), subscriptions: { counts, plain: { sink: recordingSink() } } })
  await served.publish(keys.map((key, n) => ({ source: 's', id: String(n), type: 'seen', data: { key } })))
  await served.pipeline.idle()
  const get = async (path: string) => {
    const answer = await served.call(`/v1/subscriptions/${path}`)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  const post = async (path: string, body?: object) => {
    const init = { method: 'POST', headers: admin, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const answer = await served.call(`/v1/subscriptions/${path}`, init)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  return { ...served, get, post }
}

// S3-14
describe('state over HTTP', () => {
  test('tells which stages keep something, and what, in pages', async () => {
    const { get } = await opened(['a', 'b', 'a', 'ab'])
    expect(await get('counts/state')).toEqual({
      status: 200,
      body: { stages: ['projection'], foldVersion: '1 of seen' },
    })
    expect((await get('plain/state')).body).toEqual({ stages: [] })
    expect((await get('counts/state/projection?limit=2')).body).toEqual({
      entries: [
        { key: 'a', value: { count: 2 } },
        { key: 'ab', value: { count: 1 } },
      ],
      next: 'ab',
    })
    expect((await get('counts/state/projection?after=ab')).body).toEqual({
      entries: [{ key: 'b', value: { count: 1 } }],
    })
    expect((await get('counts/state/projection?prefix=a&after=a')).body).toMatchObject({ entries: [{ key: 'ab' }] })
    expect((await get('counts/state/projection/a')).body).toEqual({ key: 'a', value: { count: 2 } })
  })

  test('finds any key: with slashes, signs, other scripts, and the empty one', async () => {
    const keys = ['', 'a/b', '/', 'ä ö?#&%2F', '日本', '😀', 'a+b=c']
    const { get } = await opened(keys)
    for (const key of keys)
      expect(await get(`counts/state/projection/${encodeURIComponent(key)}`)).toEqual({
        status: 200,
        body: { key, value: { count: 1 } },
      })
    const { entries } = (await get('counts/state/projection')).body as { entries: { key: string }[] }
    expect(entries.map(({ key }) => key).sort()).toEqual([...keys].sort())
    expect((await get('counts/state/projection?after=')).body).toMatchObject({ entries: { length: keys.length - 1 } })
  })

  test('answers 404 for what is not there, and says what there is', async () => {
    const { get } = await opened(['ab'])
    for (const path of ['counts/state/projection/a', 'counts/state/projection/', 'counts/state/other', 'none/state'])
      expect((await get(path)).status, path).toBe(404)
    expect((await get('counts/state/other')).body['detail']).toMatch(/there are: projection/)
    expect((await get('counts/state/projection/a/b')).status).toBe(404)
    expect((await get('counts/state/')).status).toBe(404)
    expect((await get('counts/state/projection?limit=0')).status).toBe(400)
  })

  test('begins a rebuild, tells how far it is, and refuses what cannot be done', async () => {
    const { get, post, call } = await opened(['a', 'a'])
    expect((await get('counts/rebuild')).status).toBe(404)
    expect((await post('counts/rebuild/cancel')).status).toBe(409)
    expect(await post('plain/rebuild')).toMatchObject({ status: 409, body: { code: 'state-conflict' } })
    expect((await post('counts/rebuild', { from: 1 })).status).toBe(400)
    const unauthorized = await call('/v1/subscriptions/counts/rebuild', { method: 'POST' })
    expect(unauthorized.status).toBe(401)
    expect(await post('counts/rebuild')).toMatchObject({ status: 202, body: { subscription: 'counts', from: 1 } })
    let status = await get('counts/rebuild')
    while (status.body['state'] !== 'done') {
      await new Promise((resolve) => setTimeout(resolve, 2))
      status = await get('counts/rebuild')
    }
    expect(status.body).toMatchObject({ delivered: 2, dead: 0, version: '1 of seen' })
    expect((await get('counts')).body).toMatchObject({ foldVersion: '1 of seen', rebuild: { state: 'done' } })
    expect((await get('counts/state/projection/a')).body).toEqual({ key: 'a', value: { count: 2 } })
  })
})
