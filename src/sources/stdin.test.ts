import { PassThrough, type Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { SourceBatch, SourceContext } from '../plugin/source.ts'
import { stdinFrom } from './stdin.ts'

function open(stream: Readable, options: { eventType?: string; maxLine?: string } = {}) {
  const use = stdinFrom(() => stream)(options)
  const logged: unknown[] = []
  const controller = new AbortController()
  const context = {
    name: 'stdin',
    signal: controller.signal,
    log: { error: (_: string, fields: unknown) => logged.push(fields) },
  } as unknown as SourceContext
  const source = use.declaration.create(use.declaration.options.parse(use.options), {
    directory: '/',
    platform: undefined as never,
  })
  const read = () => source.read(undefined, context)[Symbol.asyncIterator]() as AsyncGenerator<SourceBatch>
  return { read, logged, controller, source }
}

async function all(batches: AsyncGenerator<SourceBatch>): Promise<SourceBatch['events'][number][]> {
  const events = []
  for await (const batch of batches) events.push(...batch.events)
  return events
}

const input = '{"n":1}\n\n{"n":1}\n{"id":"42","source":"shop","type":"order.placed","data":1}\nlast'

describe('the source stdin', () => {
  it('makes an event of each line and ends with its input', async () => {
    const stream = new PassThrough()
    const { read, logged } = open(stream, { eventType: 'line' })
    stream.end(input)
    const events = await all(read())
    expect(events).toEqual([
      { id: expect.stringMatching(/^1-[\w-]{22}$/), type: 'line', data: { n: 1 } },
      { id: expect.stringMatching(/^3-[\w-]{22}$/), type: 'line', data: { n: 1 } },
      { id: '42', source: 'shop', type: 'order.placed', data: 1 },
    ])
    expect(logged).toEqual([{ line: 5 }])
  })

  it('gives the same input the same ids', async () => {
    const ids = await Promise.all(
      [1, 7].map(async (size) => {
        const stream = new PassThrough()
        for (let at = 0; at < input.length; at += size) stream.write(input.slice(at, at + size))
        stream.end()
        return (await all(open(stream).read())).map((event) => event.id)
      }),
    )
    expect(ids[0]).toEqual(ids[1])
  })

  it('gives again after a restart what was not committed', async () => {
    const stream = new PassThrough()
    stream.end(Array.from({ length: 1500 }, (_, n) => `${n}\n`).join(''))
    const { read } = open(stream)
    const first = read()
    const { value } = await first.next()
    await first.return(undefined)
    const events = await all(read())
    expect(value.events[0].data).toBe(0)
    expect(events.map((event) => event.data)).toEqual(Array.from({ length: 1500 }, (_, n) => n))
  })

  it('ends when the pipeline stops, though the input goes on', async () => {
    const stream = new PassThrough()
    const { read, controller, source } = open(stream)
    const next = read().next()
    controller.abort()
    expect(await next).toMatchObject({ done: true })
    await source.close?.()
    expect(stream.isPaused()).toBe(true)
  })

  it('leaves out a line that is too long and goes on', async () => {
    const stream = new PassThrough()
    const { read, logged } = open(stream, { maxLine: '10B' })
    stream.end('1\n"xxxxxxxxxxxxxxxxxxxxxx"\n2\n')
    expect((await all(read())).map((event) => event.data)).toEqual([1, 2])
    expect(logged).toEqual([{ line: 2 }])
  })

  // G28
  it('keeps nothing of the chunks it has read, however long the input goes on', async () => {
    const chunks: WeakRef<Buffer>[] = []
    async function* endless(): AsyncGenerator<Buffer> {
      for (let n = 0; n < 200; n++) {
        const chunk = Buffer.from(`${n}\n`)
        chunks.push(new WeakRef(chunk))
        yield chunk
      }
    }
    const stream = { iterator: endless, pause: () => undefined } as unknown as Readable
    const batches = open(stream).read()
    for (let n = 0; n < 200; n++) await batches.next()
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc?.()
    expect(chunks.filter((chunk) => chunk.deref() !== undefined).length).toBeLessThan(5)
    await batches.return(undefined)
  })
})
