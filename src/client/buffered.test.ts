import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openTestServer } from '../server/server.test-support.ts'
import { broken, expectBalance, nowhere, reply, scripted, testClient } from './client.test-support.ts'
import type { ClientOptions, PublishResult } from './types.ts'

const placed = (id: string, more: object = {}) => ({ type: 'order.placed', id, data: { total: 1 }, ...more })

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-client-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'events.buffer')
}

function buffered(options: Partial<ClientOptions> & { readonly url: string }, path = newPath()) {
  return testClient({ onUnavailable: 'buffer', buffer: { path }, ...options })
}

/** A switch between a server that is there and one that is not. */
function gate() {
  const state = { isOpen: false }
  const send: NonNullable<ClientOptions['fetch']> = (url, init) =>
    state.isOpen ? fetch(url, init) : broken('ECONNREFUSED')
  return { state, fetch: send }
}

async function ids(pipeline: Awaited<ReturnType<typeof openTestServer>>['pipeline']) {
  return (await pipeline.store.read(0, 10_000)).map(({ id }) => id)
}

// S3-23
test('while the server is away events go to disk, and are sent in their order, before newer ones, when it is back', async () => {
  const { server, pipeline } = await openTestServer()
  const { state, fetch } = gate()
  const replayed: PublishResult[] = []
  const client = buffered({ url: server.url, fetch, onReplayed: (results) => replayed.push(...results) })
  for (let i = 1; i <= 30; i++) expect(await client.publish(placed(`e${i}`))).toMatchObject({ status: 'buffered' })
  expect(client.stats()).toMatchObject({ buffered: 30, sent: 0, waiting: 0, inBuffer: { events: 30 } })
  expect(client.stats().lastError).toContain('ECONNREFUSED')
  expectBalance(client.stats())
  state.isOpen = true
  // Published while the buffer is being sent: behind it.
  const more = Array.from({ length: 20 }, (_, i) => client.publish(placed(`e${i + 31}`)))
  expect(await client.flush()).toBe(true)
  await Promise.all(more)
  expect(await ids(pipeline)).toEqual(Array.from({ length: 50 }, (_, i) => `e${i + 1}`))
  expect(replayed.slice(0, 30).map(({ id, status }) => `${id} ${status}`)).toEqual(
    Array.from({ length: 30 }, (_, i) => `e${i + 1} stored`),
  )
  expect(await client.publish(placed('direct'))).toMatchObject({ status: 'stored' })
  expect(client.stats()).toMatchObject({ stored: 51, inBuffer: { events: 0, bytes: 0 } })
  expectBalance(client.stats())
})

test('the next start sends what the last one left, without being asked twice for what was sent', async () => {
  const { server, pipeline } = await openTestServer()
  const path = newPath()
  const away = buffered({ url: await nowhere() }, path)
  await away.publish([placed('1'), placed('2'), placed('3')])
  await away.close()
  const two = buffered({ url: server.url, batch: { size: 2 }, fetch: onceThenAway() }, path)
  expect(await two.flush({ deadline: '200ms' })).toBe(false)
  expect(two.stats()).toMatchObject({ recovered: 3, stored: 2, inBuffer: { events: 1 } })
  await two.close()
  const { fetch, bodies } = scripted()
  const last = buffered({ url: server.url, fetch }, path)
  expect(await last.flush()).toBe(true)
  expect(bodies.flat().map(({ id }) => id)).toEqual(['3'])
  expect(await ids(pipeline)).toEqual(['1', '2', '3'])
  expectBalance(last.stats())
})

function onceThenAway(): NonNullable<ClientOptions['fetch']> {
  let calls = 0
  return (url, init) => (calls++ === 0 ? fetch(url, init) : broken('ECONNREFUSED'))
}

// S3-23 G28
test('a full buffer throws, or drops, as it was told, and counts', async () => {
  for (const whenFull of ['throw', 'drop'] as const) {
    const client = buffered({ url: await nowhere(), buffer: { path: newPath(), maxBytes: 4096, whenFull } })
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        client.publish(placed(`${i}`, { data: 'x'.repeat(900) })).then(
          ({ status }) => status,
          ({ code }: { code: string }) => code,
        ),
      ),
    )
    const full = whenFull === 'throw' ? 'overloaded' : 'dropped'
    expect(results).toEqual(Array.from({ length: 10 }, (_, i) => (i < 4 ? 'buffered' : full)))
    expect(client.stats()).toMatchObject({ buffered: 4, [whenFull === 'throw' ? 'failed' : 'dropped']: 6 })
    expectBalance(client.stats())
  }
})

test('what the server refuses of the buffer is counted and told, and those behind it go on', async () => {
  const { server } = await openTestServer()
  const { state, fetch } = gate()
  const replayed: PublishResult[] = []
  const client = buffered({ url: server.url, fetch, onReplayed: (results) => replayed.push(...results) })
  await client.publish([placed('1'), placed('1', { data: 2 }), placed('2', { data: 'x'.repeat(100_000) }), placed('3')])
  state.isOpen = true
  expect(await client.flush()).toBe(true)
  expect(replayed.map(({ id, status }) => [id, status])).toEqual([
    ['1', 'stored'],
    ['1', 'conflict'],
    ['2', 'refused'],
    ['3', 'stored'],
  ])
  expect(client.stats()).toMatchObject({ stored: 2, conflicts: 1, refused: 1 })
  expectBalance(client.stats())
})

test('a token that is not known any more keeps buffered events where they are; new ones go behind them', async () => {
  const answers = vi.fn(async () => reply(401, { code: 'unauthorized', detail: 'the token is not known' }))
  const path = newPath()
  const away = buffered({ url: await nowhere() }, path)
  await away.publish(placed('1'))
  await away.close()
  const client = buffered({ url: 'http://127.0.0.1:7117', fetch: answers }, path)
  expect(await client.publish(placed('2'))).toMatchObject({ status: 'buffered' })
  await vi.waitFor(() => expect(answers.mock.calls.length).toBeGreaterThan(2))
  expect(client.stats()).toMatchObject({ inBuffer: { events: 2 }, lastError: expect.stringContaining('not known') })
  expectBalance(client.stats())
})

test('closing puts what is under way into the buffer, and the next client sends it', async () => {
  const { server, pipeline } = await openTestServer()
  const path = newPath()
  const hanging = buffered({ url: server.url, fetch: () => new Promise(() => undefined) }, path)
  const publishing = hanging.publish([placed('1'), placed('2')])
  await vi.waitFor(() => expect(hanging.stats().waiting).toBe(2))
  await hanging.close({ deadline: '10ms' })
  expect((await publishing).map(({ status }) => status)).toEqual(['buffered', 'buffered'])
  expectBalance(hanging.stats())
  const next = buffered({ url: server.url }, path)
  expect(await next.flush()).toBe(true)
  expect(await ids(pipeline)).toEqual(['1', '2'])
})

test('a buffer that another client has makes publish throw, and works when that one is closed', async () => {
  const { server } = await openTestServer()
  const path = newPath()
  const first = buffered({ url: server.url }, path)
  await first.publish(placed('1'))
  const second = buffered({ url: server.url }, path)
  await expect(second.publish(placed('2'))).rejects.toMatchObject({ code: 'state-conflict' })
  await first.close()
  expect(await second.publish(placed('2'))).toMatchObject({ status: 'stored' })
  expectBalance(second.stats())
})
