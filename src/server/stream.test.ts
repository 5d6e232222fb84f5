import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test, vi } from 'vitest'
import { AppError } from '../core/errors.ts'
import { openTestServer, order, sendRaw, withMembers } from './server.test-support.ts'

const ndjson = 'application/x-ndjson'

async function linesOf(answer: Response): Promise<Record<string, unknown>[]> {
  const text = await answer.text()
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('a stream answers a line for each event, in order, with the last line unfinished', async () => {
  const { publish, pipeline } = await openTestServer()
  const answer = await publish(['1', '2', '1'].map((id) => JSON.stringify(order(id))).join('\n'), ndjson)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe(ndjson)
  expect(await linesOf(answer)).toEqual([
    { id: '1', source: 'shop', status: 'stored', sequence: 1, durability: 'memory', line: 1 },
    { id: '2', source: 'shop', status: 'stored', sequence: 2, durability: 'memory', line: 2 },
    { id: '1', source: 'shop', status: 'duplicate', sequence: 1, durability: 'memory', line: 3 },
  ])
  expect(pipeline.store.head()).toBe(2)
})

test('a bad line is refused in its place and the stream goes on', async () => {
  const { publish } = await openTestServer()
  const lines = [JSON.stringify(order('1')), '{', '', 'x'.repeat(70_000), JSON.stringify(order('2')), '7\r']
  const results = await linesOf(await publish(lines.join('\n'), ndjson))
  expect(results.map(({ line, status, error }) => [line, status, (error as { code?: string })?.code])).toEqual([
    [1, 'stored', undefined],
    [2, 'refused', 'body-malformed'],
    [4, 'refused', 'body-too-large'],
    [5, 'stored', undefined],
    [6, 'refused', 'body-malformed'],
  ])
})

test('results come while the sender is still sending', async () => {
  const { port } = await openTestServer()
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  let text = ''
  socket.on('data', (part: string) => {
    text += part
  })
  await once(socket, 'connect')
  const send = (line: string): void => void socket.write(`${(line.length + 1).toString(16)}\r\n${line}\n\r\n`)
  socket.write(
    'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n',
  )
  send(JSON.stringify(order('1')))
  await vi.waitFor(() => expect(text).toContain('"sequence":1'))
  send(JSON.stringify(order('2')))
  await vi.waitFor(() => expect(text).toContain('"sequence":2'))
  socket.destroy()
})

// G3: what was answered is stored, and half a line is not an event
test('a cut leaves the events before it stored and gives its place back', async () => {
  const { port, pipeline, publish } = await openTestServer({}, { inFlight: { streams: 1 } })
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  let text = ''
  socket.on('data', (part: string) => {
    text += part
  })
  await once(socket, 'connect')
  const body = `${JSON.stringify(order('1'))}\n${JSON.stringify(order('2'))}`
  socket.write(
    `POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 9999\r\n\r\n${body}`,
  )
  await vi.waitFor(() => expect(text).toContain('"sequence":1'))
  const second = await publish(JSON.stringify(order('3')), ndjson)
  expect(second.status).toBe(503)
  socket.destroy()
  await vi.waitFor(async () => expect((await publish(JSON.stringify(order('3')), ndjson)).status).toBe(200))
  expect(pipeline.store.head()).toBe(2)
  expect(await pipeline.store.find('shop', '2')).toBeUndefined()
})

test('a stream that sends nothing is ended', async () => {
  const { port } = await openTestServer({}, { idleMs: 50 })
  const head =
    'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 999\r\n'
  expect(await sendRaw(port, `${head}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 408 /)
  const answer = await sendRaw(port, `${head}Connection: close\r\n\r\n${JSON.stringify(order('1'))}\n`)
  expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  expect(answer).toContain('"sequence":1')
  expect(answer).toContain('"code":"request-timeout"')
})

test('a store that fails before the first result is a 503, and after it a last line', async () => {
  let calls = 0
  const { publish } = await openTestServer({}, {}, (pipeline) =>
    withMembers(pipeline, {
      ingest: (records) => {
        calls += 1
        if (calls === 2) return pipeline.ingest(records)
        return Promise.reject(new AppError('store-indeterminate', 'the write failed'))
      },
    }),
  )
  const first = await publish(JSON.stringify(order('1')), ndjson)
  expect(first.status).toBe(503)
  expect(await first.json()).toMatchObject({ outcome: 'indeterminate' })
  const many = Array.from({ length: 1_500 }, (_, i) => JSON.stringify(order(String(i)))).join('\n')
  const results = await linesOf(await publish(many, ndjson))
  const stored = results.filter(({ status }) => status === 'stored')
  expect(stored.length).toBeGreaterThan(0)
  expect(results).toHaveLength(stored.length + 1)
  expect(results.at(-1)).toMatchObject({ status: 'ended', outcome: 'indeterminate' })
})

test('twenty thousand events go through one stream', async () => {
  const { publish, pipeline } = await openTestServer()
  const many = Array.from({ length: 20_000 }, (_, i) => JSON.stringify(order(String(i)))).join('\n')
  const results = await linesOf(await publish(many, ndjson))
  expect(results.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1))
  expect(pipeline.store.head()).toBe(20_000)
})
