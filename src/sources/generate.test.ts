import { describe, expect, it } from 'vitest'
import type { Platform } from '../core/platform.ts'
import type { SourceBatch, SourceContext } from '../plugin/source.ts'
import { generate } from './generate.ts'

let ids = 0
const platform = { random: () => 0.5, id: () => `id-${++ids}` } as Platform

function start(options: Parameters<typeof generate>[0], cursor?: string) {
  const use = generate(options)
  let now = 0
  const controller = new AbortController()
  const context = {
    name: 'ticks',
    clock: { now: () => now, monotonic: () => now },
    signal: controller.signal,
    sleep: async (ms: number) => {
      now += ms
      return !controller.signal.aborted
    },
  } as SourceContext
  const source = use.declaration.create(use.declaration.options.parse(use.options), { directory: '/', platform })
  const batches = source.read(cursor, context)[Symbol.asyncIterator]() as AsyncGenerator<SourceBatch>
  return { batches, controller, now: () => now }
}
const idsOf = (batch: SourceBatch) => batch.events.map((event) => event.id)

describe('the source generate', () => {
  it('makes one event at once and then one each interval', async () => {
    const run = start({})
    const { value } = await run.batches.next()
    expect(run.now()).toBe(0)
    expect(value.events).toEqual([
      { id: expect.stringMatching(/^id-/), type: 'mock.random_number', subject: 'mock-ticks', data: { number: 51 } },
    ])
    await run.batches.next()
    expect(run.now()).toBe(10_000)
    await run.batches.next()
    expect(run.now()).toBe(20_000)
  })

  it('ends after count events, restarts included, with the same ids in every run', async () => {
    const options: Parameters<typeof generate>[0] = {
      every: '1s',
      count: 5,
      ids: 'sequence',
      eventType: 'tick',
      subject: 's',
      data: [1],
    }
    const first = start(options)
    const seen: string[] = []
    let cursor: string | undefined
    for (let n = 0; n < 2; n++) {
      const { value } = await first.batches.next()
      seen.push(...idsOf(value))
      cursor = value.cursor
    }
    for await (const batch of start(options, cursor).batches) {
      seen.push(...idsOf(batch))
      expect(batch.events[0]).toMatchObject({ type: 'tick', subject: 's', data: [1] })
    }
    expect(seen).toEqual(['1', '2', '3', '4', '5'])
  })

  it('keeps a high rate in batches of at most 1,000', async () => {
    const run = start({ rate: '5000/s', count: 20_000 })
    let made = 0
    for await (const { events } of run.batches) {
      made += events.length
      expect(events.length).toBeLessThanOrEqual(1000)
    }
    expect(made).toBe(20_000)
    expect(run.now()).toBeGreaterThanOrEqual(3_990)
    expect(run.now()).toBeLessThanOrEqual(4_010)
  })

  it('ends when the pipeline stops', async () => {
    const run = start({})
    await run.batches.next()
    run.controller.abort()
    expect(await run.batches.next()).toMatchObject({ done: true })
  })

  it('says which unit a bare number lacks', () => {
    const { declaration } = generate
    const { error } = declaration.options.safeParse({ every: 10 })
    expect(error?.issues[0]?.message).toMatch(/10 has no unit/)
    expect(declaration.options.safeParse({ every: '0s' }).error?.issues[0]?.message).toMatch(/too short/)
  })
})
