import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { check } from '../plugin/check.ts'
import { parseEgressRule } from '../plugin/egress-rule.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { SourceBatch } from '../plugin/source.ts'
import { createSourceContext, recordingLog } from '../testing/plugin-context.ts'
import { openStreamServer } from './sse/stream-server.test-support.ts'
import { sse } from './sse.ts'

const loopback = parseEgressRule('127.0.0.0/8')
const egress = { allow: loopback.ok ? [loopback.rule] : [] }

function sourceOf(given: Record<string, unknown>, rules = egress) {
  const checked = check(sse.declaration.options, given)
  if (!checked.ok) throw new Error(JSON.stringify(checked.issues))
  const platform = { ...nodePlatform, random: () => 0 }
  return sse.declaration.create(checked.value, { directory: '.', platform, egress: rules })
}

/** A source that reads in the background until the test ends, or it does. */
function reading(given: Record<string, unknown>, cursor?: string, rules = egress) {
  const source = sourceOf(given, rules)
  const stop = new AbortController()
  const log = recordingLog()
  const sleeps: number[] = []
  const real = createSourceContext({ name: 'upstream', signal: stop.signal, log })
  const context = {
    ...real,
    sleep(ms: number) {
      sleeps.push(ms)
      return real.sleep(ms)
    },
  }
  const batches: SourceBatch[] = []
  const ended = (async () => {
    for await (const batch of source.read(cursor, context)) batches.push(batch)
  })()
  ended.catch(() => undefined)
  onTestFinished(async () => {
    stop.abort()
    await ended.catch(() => undefined)
    await source.close?.()
  })
  const events = () => batches.flatMap((batch) => batch.events)
  const cursorNow = () => batches.findLast((batch) => batch.cursor !== undefined)?.cursor
  return { batches, events, ended, sleeps, log, stop, context, cursor: cursorNow }
}

describe('events', () => {
  test('have the id, type and data of the stream; JSON is parsed and anything else is text', async () => {
    const { url } = await openStreamServer((request) => {
      request.begin()
      request.write('id: 1\nevent: order.placed\ndata: {"no":7}\n\nid: 2\ndata: plain\ndata: text\n\n')
    })
    const { events, cursor } = reading({ url })
    await vi.waitFor(() => expect(events()).toHaveLength(2))
    expect(events()).toMatchObject([
      { id: '1', type: 'order.placed', data: { no: 7 } },
      { id: '2', type: 'sse.message', data: 'plain\ntext' },
    ])
    expect(cursor()).toBe('2')
  })

  test('without an id of their own have one from their content', async () => {
    const { url } = await openStreamServer((request) => {
      request.begin()
      request.write('data: a\n\ndata: b\n\nid: 5\ndata: c\n\ndata: c\n\n')
    })
    const [first, second] = [reading({ url }), reading({ url })]
    await vi.waitFor(() => expect([first.events().length, second.events().length]).toEqual([4, 4]))
    const ids = first.events().map(({ id }) => id)
    expect(new Set(ids).size).toBe(4)
    expect(ids[2]).toBe('5')
    expect(second.events().map(({ id }) => id)).toEqual(ids)
  })

  test('are mapped and narrowed by the options', async () => {
    const { url } = await openStreamServer((request) => {
      request.begin()
      request.write('id: 1\nevent: add\ndata: {"no":7,"who":"x","at":1800000000,"body":{"a":1}}\n\n')
      request.write('id: 2\nevent: remove\ndata: {}\n\n')
    })
    const map = { type: '"shop." + event', subject: '$.who', time: '$.at', data: '$.body' }
    const { events, cursor } = reading({ url, types: ['shop.add'], id: '"no-" + string(int(data.no))', map })
    await vi.waitFor(() => expect(cursor()).toBe('2'))
    expect(events()).toEqual([
      { id: 'no-7', type: 'shop.add', subject: 'x', time: '2027-01-15T08:00:00.000Z', data: { a: 1 } },
    ])
  })

  test('that are too large are left out and logged', async () => {
    const { url } = await openStreamServer((request) => {
      request.begin()
      request.write(`id: 1\ndata: ${'x'.repeat(3_000)}\n\nid: 2\ndata: ok\n\n`)
    })
    const { events, log } = reading({ url, maxEvent: '1KiB' })
    await vi.waitFor(() => expect(events()).toMatchObject([{ id: '2' }]))
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { events: 1 } }])
  })

  test('that are many become commits of a bounded size, and only the last moves the place', async () => {
    const all = Array.from({ length: 2_500 }, (_, i) => `id: ${i}\ndata: ${i}\n\n`).join('')
    const { url } = await openStreamServer((request) => {
      request.begin()
      request.write(all)
    })
    const { events, batches } = reading({ url })
    await vi.waitFor(() => expect(events()).toHaveLength(2_500))
    expect(Math.max(...batches.map((batch) => batch.events.length))).toBeLessThanOrEqual(1_000)
    for (const { cursor, events: some } of batches) if (cursor !== undefined) expect(some.at(-1)?.id).toBe(cursor)
  })
})

describe('a break', () => {
  // S1-07
  test.each(['end', 'cut'] as const)('by %s is followed by a new connection from the last id', async (how) => {
    const { url, requests } = await openStreamServer((request, count) => {
      request.begin()
      request.write(`id: ${count}\ndata: ${count}\n\nid: lost\ndata: half`)
      if (count < 3) setImmediate(() => request[how]())
    })
    const { events } = reading({ url })
    await vi.waitFor(() => expect(events().map(({ id }) => id)).toEqual(['1', '2', '3']))
    expect(requests.map(({ lastId }) => lastId)).toEqual([undefined, '1', '2'])
  })

  test('and a restart go on after the stored cursor', async () => {
    const { url, requests } = await openStreamServer((request) => request.begin())
    const { events } = reading({ url, headers: { Authorization: 'Bearer t' } }, 'inc-41')
    await vi.waitFor(() => expect(requests).toHaveLength(1))
    expect(events()).toEqual([])
    expect(requests[0]!.headers).toMatchObject({
      'last-event-id': 'inc-41',
      accept: 'text/event-stream',
      authorization: 'Bearer t',
    })
  })

  test('is followed by the wait that the server asks for, which grows while nothing comes', async () => {
    const { url, requests } = await openStreamServer((request, count) => {
      request.begin()
      if (count === 1) request.write('retry: 100\nid: 1\ndata: a\n\n')
      request.end()
    })
    const { sleeps } = reading({ url, maxRetry: '350ms' })
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(5))
    expect(sleeps.slice(0, 5)).toEqual([100, 100, 200, 350, 350])
  })

  test('that is only silence is noticed', async () => {
    const { url, requests } = await openStreamServer((request) => {
      request.begin()
      request.write(': nothing\n')
    })
    const { events } = reading({ url, idle: '30ms' })
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(1))
    expect(events()).toEqual([])
  })
})

describe('a server that gives no stream', () => {
  test('but says 204 has no more', async () => {
    const { url, requests } = await openStreamServer((request) => {
      request.begin(204, {})
      request.end()
    })
    await reading({ url }).ended
    expect(requests).toHaveLength(1)
  })

  // SEC-79
  test.each([
    [503, { 'content-type': 'text/event-stream', 'retry-after': '2' }, /answered 503/, 2_000],
    [404, {}, /answered 404/, 3_000],
    [302, { location: 'http://127.0.0.1:1/' }, /answered 302/, 3_000],
    [200, { 'content-type': 'text/html' }, /no text\/event-stream/, 3_000],
  ])('and answers %i is an error that names the host only, after a wait', async (status, headers, why, waitMs) => {
    const { url } = await openStreamServer((request) => {
      request.begin(status, headers as Record<string, string>)
      request.end()
    })
    const { ended, sleeps } = reading({ url: `${url}?key=secret-7`, retry: waitMs === 2_000 ? '1s' : '3s' })
    await expect(ended).rejects.toThrow(why)
    await expect(ended).rejects.not.toThrow(/secret-7|stream\?/)
    expect(sleeps).toEqual([waitMs])
  })

  test('and cannot be reached is an error', async () => {
    await expect(reading({ url: 'http://127.0.0.1:9/' }).ended).rejects.toThrow(/refused|egress/)
  })

  // SEC-1
  test('and may not be reached is never asked', async () => {
    const { url, requests } = await openStreamServer((request) => request.begin())
    await expect(reading({ url }, undefined, { allow: [] }).ended).rejects.toThrow(/egress/)
    expect(requests).toHaveLength(0)
  })
})

describe('a stream of another Millrace', () => {
  const info = 'id: i-4\nevent: info\ndata: connected\n\n'

  test('is CloudEvents, which are taken as they are', async () => {
    const event =
      '{"specversion":"1.0","id":"42","source":"shop","type":"order.placed","subject":"o","data":{"a":1},"sequence":"5","recordedtime":"2026-01-01T00:00:00Z"}'
    const { url } = await openStreamServer((request) => {
      request.begin()
      request.write(`${info}id: i-5\nevent: order.placed\ndata: ${event}\n\n`)
    })
    const { events, cursor } = reading({ url })
    await vi.waitFor(() => expect(cursor()).toBe('i-5'))
    expect(events()).toEqual([{ id: '42', source: 'shop', type: 'order.placed', subject: 'o', data: { a: 1 } }])
  })

  test('tells by heartbeats how far it has come', async () => {
    const { url } = await openStreamServer((request) => {
      request.begin()
      request.write(`${info}id: i-9\nevent: heartbeat\ndata: ping\n\n`)
    })
    const { events, cursor } = reading({ url })
    await vi.waitFor(() => expect(cursor()).toBe('i-9'))
    expect(events()).toEqual([])
  })

  test('has its gaps logged and counted, also over restarts', async () => {
    const { url } = await openStreamServer((request) => {
      request.begin()
      const gap = '{"reason":"retention","from":4,"oldest":90}'
      request.write(`${info}id: i-89\nevent: gap\ndata: ${gap}\n\nid: i-89\nevent: gap\ndata: no JSON\n\n`)
    })
    const { events, log, context } = reading({ url })
    await vi.waitFor(() => expect(log.lines).toHaveLength(2))
    expect(log.lines[0]).toMatchObject({ level: 'warn', fields: { reason: 'retention', from: 4, oldest: 90, gaps: 1 } })
    expect(await context.state.get('gaps')).toBe('2')
    expect(events()).toEqual([])
  })

  test('is told from others, whose gap is an event like any', async () => {
    const { url } = await openStreamServer((request) => {
      request.begin()
      request.write('event: gap\ndata: {"mind":"the gap"}\n\n')
    })
    const { events } = reading({ url })
    await vi.waitFor(() => expect(events()).toMatchObject([{ type: 'gap', data: { mind: 'the gap' } }]))
  })
})

// G32
test('a stop ends the connection', async () => {
  const { url, requests } = await openStreamServer((request) => {
    request.begin()
    request.write('data: a\n\n')
  })
  const { ended, stop, events } = reading({ url })
  await vi.waitFor(() => expect(events()).toHaveLength(1))
  stop.abort()
  await ended
  await requests[0]!.gone
})
