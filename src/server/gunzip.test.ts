import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { limits, openTestServer, order } from './server.test-support.ts'

const gzip = { 'content-encoding': 'gzip' }
const open = () => openTestServer({}, { limits: { ...limits, gzip: true } })
const json = 'application/json'
const codeOf = async (answer: Response): Promise<unknown> => ((await answer.json()) as { code?: unknown }).code
/** Text that hardly gets smaller. */
const noise = (length: number): string =>
  Array.from({ length: Math.ceil(length / 8) }, () => Math.random().toString(36).slice(2, 10).padEnd(8, '0')).join('')

test('one event, a batch and a stream may come compressed', async () => {
  const { publish, call } = await open()
  const one = await publish(gzipSync(JSON.stringify(order('1'))), json, gzip)
  expect([one.status, await one.json()]).toEqual([201, expect.objectContaining({ status: 'stored', sequence: 1 })])
  const many = await publish(gzipSync(JSON.stringify([order('2'), order('3')])), json, gzip)
  expect(many.status).toBe(200)
  const lines = gzipSync(`${JSON.stringify(order('4'))}\n${JSON.stringify(order('5'))}\n`)
  const stream = await publish(lines, 'application/x-ndjson', { 'content-encoding': 'GZIP' })
  expect((await stream.text()).match(/"status":"stored"/g)).toHaveLength(2)
  const { events } = (await (await call('/v1/events')).json()) as { events: { id: string; data: unknown }[] }
  expect(events.map(({ id }) => id)).toEqual(['1', '2', '3', '4', '5'])
})

// SEC-28
test('the limit is on what comes out', async () => {
  const { publish, pipeline } = await open()
  const fits = gzipSync(JSON.stringify(order('1', { data: noise(50_000) })))
  expect((await publish(fits, json, gzip)).status).toBe(201)
  const large = gzipSync(JSON.stringify(order('2', { data: noise(70_000) })))
  expect(large.length).toBeLessThan(limits.bodyBytes)
  const answer = await publish(large, json, gzip)
  expect([answer.status, await codeOf(answer)]).toEqual([413, 'body-too-large'])
  expect(pipeline.store.head()).toBe(1)
})

// SEC-28
test('what grows more than twenty times is refused, however it comes', async () => {
  const { publish, pipeline } = await open()
  const dense = gzipSync(JSON.stringify(order('1', { data: 'x'.repeat(60_000) })))
  const answer = await publish(dense, json, gzip)
  expect([answer.status, await codeOf(answer)]).toEqual([413, 'body-too-large'])
  const bomb = gzipSync(Buffer.alloc(16 * 2 ** 20, '\n'))
  const before = process.memoryUsage().arrayBuffers
  const stream = await publish(bomb, 'application/x-ndjson', gzip)
  expect([stream.status, await codeOf(stream)]).toEqual([413, 'body-too-large'])
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 2 ** 20)
  expect((await publish(order('after'))).status).toBe(201)
  expect(pipeline.store.head()).toBe(1)
})

test('what is no gzip, or ends too early, is 400 and stores nothing', async () => {
  const { publish, pipeline } = await open()
  const whole = gzipSync(JSON.stringify(order('1')))
  for (const body of [Buffer.from('{}'), whole.subarray(0, whole.length - 9), Buffer.alloc(0)]) {
    const answer = await publish(body, json, gzip)
    expect([answer.status, await codeOf(answer)]).toEqual([400, 'body-malformed'])
  }
  const line = gzipSync(noise(1000)).subarray(0, 100)
  const answer = await publish(line, 'application/x-ndjson', gzip)
  expect([answer.status, await codeOf(answer)]).toEqual([400, 'body-malformed'])
  expect(pipeline.store.head()).toBe(0)
})

// SEC-28, SEC-21
test('other encodings are 415, and so is gzip where it is not enabled or a signature is over the bytes', async () => {
  const { publish, call } = await open()
  const body = gzipSync(JSON.stringify(order('1')))
  for (const encoding of ['br', 'deflate', 'gzip, gzip', 'x'])
    expect((await publish(body, json, { 'content-encoding': encoding })).status).toBe(415)
  expect((await call('/in/hook', { method: 'POST', body: body as never, headers: gzip })).status).toBe(415)
  const off = await openTestServer()
  expect((await off.publish(body, json, gzip)).status).toBe(415)
})

// G28
test('a compressed stream that is cut leaves what came before it stored', async () => {
  const { port, pipeline } = await open()
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  const { createGzip, constants } = await import('node:zlib')
  const lines = createGzip()
  const head =
    'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n'
  socket.write(head)
  lines.on('data', (part: Buffer) => {
    socket.write(`${part.length.toString(16)}\r\n`)
    socket.write(part)
    socket.write('\r\n')
  })
  lines.write(`${JSON.stringify(order('1'))}\n`)
  lines.flush(constants.Z_SYNC_FLUSH)
  const answer = await new Promise<string>((resolve) => socket.once('data', (part) => resolve(String(part))))
  expect(answer).toContain('200 OK')
  expect(pipeline.store.head()).toBe(1)
  socket.destroy()
})
