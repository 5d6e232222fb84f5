import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { loopbackEgress } from '../testing/loopback-egress.ts'
import { stageInputOf } from '../testing/stage-cases.ts'
import { enrich } from './enrich.ts'
import { opened, platformAt } from './stages.test-support.ts'

/** A server that answers as told and notes what it was asked. */
async function server(answer: (path: string) => { status?: number; body?: string; headers?: Record<string, string> }) {
  const asked: string[] = []
  const listening = createServer((request, response) => {
    asked.push(request.url!)
    const { status = 200, body = '', headers = {} } = answer(request.url!)
    response.writeHead(status, headers).end(body)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => listening.once('listening', resolve))
  onTestFinished(() => {
    listening.closeAllConnections()
    listening.close()
  })
  return { asked, base: `http://127.0.0.1:${(listening.address() as AddressInfo).port}` }
}

const customer = { data: '{"id":"a/b ?","n":1}' }
const around = (now = 1_000_000) => ({ ...platformAt(now), egress: loopbackEgress })

test('what is found goes into data, meta or the context; values in the path are encoded', async () => {
  const { base, asked } = await server(() => ({ body: '{"customer":{"tier":"gold"}}' }))
  const url = `${base}/customers/{data.id}`
  const of = async (more: object) => (await opened(enrich, { url, ...more }, around())).process(stageInputOf(customer))
  expect(await of({ pick: '$.customer', into: 'data.customer' })).toEqual({
    outcome: 'ack',
    event: { data: { id: 'a/b ?', n: 1, customer: { tier: 'gold' } } },
  })
  expect(await of({ pick: '$.customer.tier', into: 'meta.tier' })).toMatchObject({ event: { meta: { tier: 'gold' } } })
  expect(await of({ into: 'context.found.crm' })).toMatchObject({
    context: { kept: { by: 'the stage before' }, found: { crm: { customer: { tier: 'gold' } } } },
  })
  expect(asked).toEqual(Array(3).fill('/customers/a%2Fb%20%3F'))
})

test('an answer is used again until its time is over, also the answer that there is nothing', async () => {
  const { base, asked } = await server((path) => (path === '/none' ? { status: 404 } : { body: '1' }))
  const context = around()
  const stage = await opened(
    enrich,
    { url: `${base}/{data.id}`, into: 'data.x', cache: { ttl: '1m', size: 2 } },
    context,
  )
  const look = (id: string) => stage.process(stageInputOf({ data: JSON.stringify({ id }) }))
  for (const id of ['one', 'one', 'none', 'none']) await look(id)
  expect(asked).toEqual(['/one', '/none'])
  context.time.now += 60_000
  await look('one')
  await look('two')
  await look('three')
  await look('one')
  expect(asked.slice(2)).toEqual(['/one', '/two', '/three', '/one'])
})

test('events that need the same answer at the same time share one request; one that is given up leaves the others none', async () => {
  const { base, asked } = await server(() => ({ body: '1' }))
  const stage = await opened(enrich, { url: `${base}/{data.id}`, into: 'data.x' }, around())
  const gone = new AbortController()
  const look = (signal?: AbortSignal) => {
    const input = stageInputOf({ data: '{"id":"same"}' })
    return stage.process(signal === undefined ? input : { ...input, signal })
  }
  expect(await Promise.all([look(), look(), look()])).toEqual(
    Array(3).fill(expect.objectContaining({ outcome: 'ack' })),
  )
  expect(asked).toEqual(['/same'])
  const other = await opened(enrich, { url: `${base}/other`, into: 'data.x' }, around())
  const first = other.process({ ...stageInputOf(), signal: gone.signal })
  const second = other.process(stageInputOf())
  gone.abort()
  expect(await first).toMatchObject({ outcome: 'retry' })
  expect(await second).toMatchObject({ outcome: 'ack' })
})

test('an answer without a body is nothing; a place that cannot be made is a reject, and nothing is written over', async () => {
  const { base } = await server((path) => (path === '/empty' ? { status: 204 } : { body: '1' }))
  const of = async (path: string, into: string, data: string) =>
    (await opened(enrich, { url: `${base}/${path}`, into, missing: 'reject' }, around())).process(
      stageInputOf({ data }),
    )
  expect(await of('empty', 'data.x', '{}')).toEqual({ outcome: 'reject', reason: 'there is nothing to be found' })
  const reason = 'data.a.b cannot be made: what is there is no object'
  for (const data of ['{"a":5}', '{"a":[1]}', '"text"', '[]'])
    expect(await of('one', 'data.a.b', data)).toEqual({ outcome: 'reject', reason })
  expect(await of('one', 'data.a.b', '{"a":null}')).toMatchObject({ event: { data: { a: { b: 1 } } } })
  expect(await of('one', 'data', '[5]')).toMatchObject({ event: { data: 1 } })
})

test('what is missing is skipped, waited for or rejected, as said', async () => {
  const { base } = await server(() => ({ status: 404 }))
  const of = async (missing: string, path = 'x') =>
    (await opened(enrich, { url: `${base}/${path}`, into: 'data.x', missing }, around())).process(stageInputOf())
  expect(await of('skip')).toBeUndefined()
  expect(await of('retry')).toMatchObject({ outcome: 'retry' })
  expect(await of('reject', '{data.none}')).toMatchObject({ outcome: 'reject' })
  expect(await of('skip', '{data.none}')).toBeUndefined()
})

test('a side that is ill is asked again later, and after some failures not at all for a while', async () => {
  const { base, asked } = await server(() => ({ status: 503, headers: { 'retry-after': '7' } }))
  const context = around()
  const options = { url: `${base}/x`, into: 'data.x', breaker: { failures: 2, open: '10s' } }
  const stage = await opened(enrich, options, context)
  const host = new URL(base).host
  expect(await stage.process(stageInputOf())).toMatchObject({
    outcome: 'retry',
    reason: `${host} answered 503`,
    delay: '7000ms',
  })
  await stage.process(stageInputOf())
  expect(await stage.process(stageInputOf())).toMatchObject({ outcome: 'retry', delay: '10000ms', isWait: true })
  expect(asked).toHaveLength(2)
  context.time.now += 10_000
  await stage.process(stageInputOf())
  expect(asked).toHaveLength(3)
})

test('an answer that is refused, too long or not JSON, and an address that is not allowed, say so', async () => {
  const { base } = await server((path) =>
    path === '/no' ? { status: 403 } : { body: path === '/long' ? '"xxxxx"' : '<html>' },
  )
  const of = async (path: string, egress: object | undefined = loopbackEgress) =>
    (
      await opened(
        enrich,
        { url: `${base}${path}`, into: 'data.x', maxBody: '6B' },
        { ...around(), egress: egress as never },
      )
    ).process(stageInputOf())
  expect(await of('/no')).toMatchObject({ outcome: 'reject', reason: expect.stringContaining('403') })
  expect(await of('/long')).toMatchObject({ outcome: 'reject', reason: expect.stringContaining('maxBody') })
  expect(await of('/html')).toMatchObject({ outcome: 'retry', reason: expect.stringContaining('not JSON') })
  // SEC-1
  expect(await of('/no', { allow: [] })).toMatchObject({
    outcome: 'reject',
    reason: expect.stringContaining('egress.allow'),
  })
})

test('no event chooses the host of a request', () => {
  const parse = (url: string) => enrich.declaration.options.safeParse({ url, into: 'data.x' }).success
  expect(parse('https://crm.example/{data.id}')).toBe(true)
  expect(parse('https://{data.host}/x')).toBe(false)
  expect(parse('https://crm.example{data.host}/x')).toBe(false)
  expect(parse('https://crm.example/{dat.id}')).toBe(false)
  expect(parse('file:///etc/passwd')).toBe(false)
})
