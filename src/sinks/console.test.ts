import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Event, type StoredRecord } from '../core/event.ts'
import type { Delivery, SinkContext } from '../plugin/sink.ts'
import { type ConsoleStream, consoleTo } from './console.ts'

function collecting(isTTY = false) {
  let text = ''
  const stream: ConsoleStream = Object.assign(
    new Writable({
      write(chunk, _, done) {
        text += String(chunk)
        done()
      },
    }),
    { isTTY },
  )
  return { stream, text: () => text }
}

async function open(stream: ConsoleStream, options: { format?: 'pretty' | 'json' } = {}) {
  const use = consoleTo(() => stream)(options)
  const sink = use.declaration.create(use.declaration.options.parse(use.options), {
    directory: '/',
    platform: undefined as never,
  })
  await sink.open?.({} as SinkContext)
  return sink
}

function delivery(more: Partial<StoredRecord> = {}): Delivery {
  const record = { sequence: 7, appendedAt: 1_750_000_000_123, id: '42', source: 'shop', type: 'order.placed', ...more }
  return { event: new Event(record), attempt: 1, messageId: 'msg_a', context: {} }
}
const context = {} as SinkContext

describe('the sink console', () => {
  it('prints one CloudEvent per line when it is no terminal', async () => {
    const { stream, text } = collecting()
    const sink = await open(stream)
    expect(await sink.deliver([delivery(), delivery({ id: '43', data: '[1]' })], context)).toBeUndefined()
    const lines = text()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toMatchObject([{ id: '42' }, { id: '43', data: [1] }])
  })

  it('prints a line for people on a terminal or when asked', async () => {
    const { stream, text } = collecting()
    const sink = await open(stream, { format: 'pretty' })
    await sink.deliver([delivery({ subject: 'o-1', data: '{"total":1}' })], context)
    await sink.deliver([delivery({ data: new Uint8Array(3), datacontenttype: 'image/png' })], context)
    expect(text()).toBe(
      '15:06:40.123 #7 order.placed o-1 {"total":1} (shop/42)\n15:06:40.123 #7 order.placed <3 bytes of image/png> (shop/42)\n',
    )
  })

  // SEC-80
  it('lets no event colour the terminal, move the cursor or begin a line', async () => {
    const { stream, text } = collecting(true)
    const sink = await open(stream, { format: 'pretty' })
    const nasty = 'a\n\u001b[2J\u009b\u202e'
    await sink.deliver([delivery({ id: nasty, source: nasty, subject: nasty, data: JSON.stringify(nasty) })], context)
    // Our own colours aside.
    const shown = text().replaceAll(/\p{Cc}\[\d+m/gu, '')
    expect(shown.slice(0, -1)).not.toMatch(/[\p{Cc}\u202e]/u)
    expect(shown.endsWith('\n')).toBe(true)
  })

  it('cuts long data', async () => {
    const { stream, text } = collecting()
    const sink = await open(stream, { format: 'pretty' })
    await sink.deliver([delivery({ data: JSON.stringify('x'.repeat(100_000)) })], context)
    expect(text().length).toBeLessThan(2200)
  })

  it('waits and tries again when nobody reads the output any more', async () => {
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(broken) })
    const sink = await open(stream)
    const expected = { outcome: 'retry', reason: expect.stringContaining('the output cannot be written') }
    expect(await sink.deliver([delivery(), delivery()], context)).toEqual([expected, expected])
    expect(await sink.deliver([delivery()], context)).toEqual([expected])
    await sink.close?.()
  })

  it('waits until the stream has taken the lines', async () => {
    let release: (() => void) | undefined
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        release = done
      },
    })
    const sink = await open(stream)
    let isDone = false
    const delivered = Promise.resolve(sink.deliver([delivery()], context)).then(() => (isDone = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isDone).toBe(false)
    release!()
    await delivered
  })
})
