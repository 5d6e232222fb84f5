import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { StoredEvent } from './core/decide.ts'
import { AppError } from './core/errors.ts'
import type { Log } from './core/platform.ts'
import { type DeciderSpec, decider } from './decider.ts'
import { openPipeline, type PipelineOptions } from './pipeline.ts'
import type { PipelineConfig } from './plugin/pipeline-config.ts'
import type { Pipeline } from './runtime/api.ts'
import { memory } from './stores/memory.ts'
import { sqlite } from './stores/sqlite.ts'
import { createVirtualPlatform } from './testing/virtual-platform.ts'

type CounterEvent =
  | { readonly type: 'counter.added'; readonly data: { readonly by: number } }
  | { readonly type: 'counter.reset' }
interface Counter {
  readonly sum: number
  readonly steps: number
}
type Command = { readonly add: number } | 'reset' | 'nothing'

const spec: DeciderSpec<Counter, Command, CounterEvent> = {
  name: 'counters',
  initial: { sum: 0, steps: 0 },
  decide(command, { sum }) {
    if (command === 'nothing') return []
    if (command === 'reset') return [{ type: 'counter.reset' }]
    if (sum + command.add > 1000) throw new Error('too much')
    return [{ type: 'counter.added', data: { by: command.add } }]
  },
  evolve: ({ sum, steps }, event) => ({
    sum: event.type === 'counter.added' ? sum + event.data.by : 0,
    steps: steps + 1,
  }),
}
const counter = decider(spec)

const open: Pipeline[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const pipeline of open.splice(0)) await pipeline.stop()
})

async function pipelineWith(
  store: PipelineConfig['store'] = memory(),
  options: PipelineOptions = {},
): Promise<Pipeline> {
  const pipeline = await openPipeline({ store, streams: ['counter.*'] }, options)
  open.push(pipeline)
  return pipeline
}

/** A decider that says which events it was shown. */
function watching(snapshot?: DeciderSpec<Counter, Command, CounterEvent>['snapshot']) {
  const seen: number[] = []
  const evolve = (state: Counter, event: StoredEvent<CounterEvent>): Counter => {
    seen.push(event.sequence)
    return spec.evolve(state, event)
  }
  return { seen, decider: decider({ ...spec, evolve, snapshot }) }
}

async function versions(pipeline: Pipeline, stream: string): Promise<string[]> {
  const found: string[] = []
  for await (const { version, event } of pipeline.readStream(stream)) found.push(`${version}:${event.id}`)
  return found
}

// S3-14
test('a command is decided on the state of its stream, and answers its events and the state after them', async () => {
  const pipeline = await pipelineWith()
  expect(await counter.load(pipeline, 'c')).toEqual({ state: { sum: 0, steps: 0 }, version: 0 })
  const first = await counter.handle(pipeline, 'c', { add: 5 })
  expect(first).toMatchObject({ state: { sum: 5, steps: 1 }, version: 1 })
  expect(first.events).toMatchObject([{ type: 'counter.added', data: { by: 5 }, source: 'counters', subject: 'c' }])
  await counter.handle(pipeline, 'c', { add: 2 })
  await counter.handle(pipeline, 'other', { add: 100 })
  expect(await counter.load(pipeline, 'c')).toEqual({ state: { sum: 7, steps: 2 }, version: 2 })
})

test('a command that is refused, or by which nothing happens, appends nothing', async () => {
  const pipeline = await pipelineWith()
  await counter.handle(pipeline, 'c', { add: 999 })
  await expect(counter.handle(pipeline, 'c', { add: 2 })).rejects.toThrow('too much')
  expect(await counter.handle(pipeline, 'c', 'nothing')).toEqual({
    state: { sum: 999, steps: 1 },
    version: 1,
    events: [],
  })
  expect(pipeline.store.head()).toBe(1)
})

// S3-14
test('the state is there as it was at any version and at any time', async () => {
  const platform = createVirtualPlatform()
  const pipeline = await pipelineWith(memory(), { platform })
  const times: string[] = []
  for (const add of [1, 10, 100]) {
    times.push(new Date(platform.clock.now()).toISOString())
    await counter.handle(pipeline, 'c', { add })
    await platform.advance(3_600_000)
  }
  const at = async (until: { version: number } | { time: string }) => {
    const { state, version } = await counter.load(pipeline, 'c', { until })
    return [version, state.sum]
  }
  expect(await Promise.all(times.map((time) => at({ time })))).toEqual([
    [0, 0],
    [1, 1],
    [2, 11],
  ])
  expect(await Promise.all([0, 1, 2, 3, 9].map((version) => at({ version })))).toEqual([
    [0, 0],
    [1, 1],
    [2, 11],
    [3, 111],
    [3, 111],
  ])
})

test('the initial state cannot be changed by an evolve that writes into it', async () => {
  const pipeline = await pipelineWith()
  const wrong = decider<{ sum: number }, Command, CounterEvent>({
    name: 'counters',
    initial: { sum: 0 },
    decide: () => [{ type: 'counter.reset' }],
    evolve: (state) => Object.assign(state, { sum: 1 }),
  })
  await expect(wrong.handle(pipeline, 'c', 'reset')).rejects.toThrow(TypeError)
})

describe('a command with an id', () => {
  // G6
  test('is handled once: again it answers its events and the state after them, whatever came since', async () => {
    const pipeline = await pipelineWith()
    const first = await counter.handle(pipeline, 'c', { add: 600 }, { id: 'k1' })
    await counter.handle(pipeline, 'c', { add: 300 })
    // Decided now it would be refused.
    const again = await counter.handle(pipeline, 'c', { add: 600 }, { id: 'k1' })
    expect([again.state, again.version]).toEqual([first.state, first.version])
    expect(again.events.map(({ id }) => id)).toEqual(first.events.map(({ id }) => id))
    expect(await counter.load(pipeline, 'c')).toMatchObject({ version: 2 })
    await counter.handle(pipeline, 'other', { add: 600 }, { id: 'k1' })
    expect(pipeline.store.head()).toBe(3)
  })

  test('that made many events is known by all of them, and by no more', async () => {
    const pipeline = await pipelineWith()
    const twice = decider({
      ...spec,
      decide: () => [1, 2].map((by) => ({ type: 'counter.added' as const, data: { by } })),
    })
    await twice.handle(pipeline, 'c', 'reset', { id: 'a' })
    await twice.handle(pipeline, 'c', 'reset', { id: 'a/b' })
    const again = await twice.handle(pipeline, 'c', 'reset', { id: 'a' })
    expect(again).toMatchObject({ version: 2, state: { sum: 3, steps: 2 } })
    expect(again.events).toHaveLength(2)
    expect(await versions(pipeline, 'c')).toEqual(['1:c/a/0', '2:c/a/1', '3:c/a%2Fb/0', '4:c/a%2Fb/1'])
  })

  // G29
  test('whose events retention took is not handled again: it is said', async () => {
    const pipeline = await pipelineWith()
    await counter.handle(pipeline, 'c', { add: 600 }, { id: 'k1' })
    await counter.handle(pipeline, 'c', { add: 300 })
    await pipeline.store.prune({ events: 2 })
    const kept = decider({ ...spec, snapshot: { every: 1, version: 1 } })
    await pipeline.snapshots.write(
      { decider: 'counters', stream: 'c', format: 1 },
      { version: 2, state: { sum: 900, steps: 2 } },
    )
    await expect(kept.handle(pipeline, 'c', { add: 600 }, { id: 'k1' })).rejects.toMatchObject({
      code: 'events-removed',
      message: expect.stringMatching(/it was handled before/),
    })
    expect(await kept.handle(pipeline, 'c', { add: 1 }, { id: 'k2' })).toMatchObject({ version: 3 })
  })

  test('handled by many at once happens once, and all get the same answer', async () => {
    const pipeline = await pipelineWith()
    await counter.handle(pipeline, 'c', { add: 1 })
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => counter.handle(pipeline, 'c', { add: 5 }, { id: 'k' })),
    )
    for (const { state, version, events } of answers) expect([state.sum, version, events.length]).toEqual([6, 2, 1])
    expect(pipeline.store.head()).toBe(2)
  })
})

describe('overtaken by others', () => {
  test('a command is decided anew on what they appended', async () => {
    const pipeline = await pipelineWith()
    const decided: number[] = []
    const slow = decider({
      ...spec,
      decide(command: Command, state) {
        decided.push(state.sum)
        return spec.decide(command, state)
      },
    })
    const append = vi.spyOn(pipeline, 'append')
    append.mockImplementationOnce(async (...given) => {
      await counter.handle(pipeline, 'c', { add: 10 })
      return pipeline.append(...given)
    })
    const { state, version } = await slow.handle(pipeline, 'c', { add: 1 })
    expect([state.sum, version, decided]).toEqual([11, 2, [0, 10]])
  })

  test('as often as it may try, it throws the conflict', async () => {
    const pipeline = await pipelineWith()
    vi.spyOn(pipeline, 'append').mockImplementation(async () => {
      throw new AppError('version-conflict', 'overtaken')
    })
    const decide = vi.fn(() => [{ type: 'counter.reset' as const }])
    const stubborn = decider({ ...spec, decide })
    await expect(stubborn.handle(pipeline, 'c', 'reset', { attempts: 3 })).rejects.toThrow('overtaken')
    expect(decide).toHaveBeenCalledTimes(3)
    await expect(stubborn.handle(pipeline, 'c', 'reset')).rejects.toMatchObject({ code: 'version-conflict' })
    expect(decide).toHaveBeenCalledTimes(13)
  })

  test('commands of one process for one stream take turns: of fifty at once none is overtaken', async () => {
    const pipeline = await pipelineWith()
    const all = Array.from({ length: 50 }, () => counter.handle(pipeline, 'c', { add: 1 }, { attempts: 1 }))
    expect((await Promise.all(all)).map(({ version }) => version)).toEqual(all.map((_, index) => index + 1))
    await expect(counter.handle(pipeline, 'c', { add: 5000 })).rejects.toThrow('too much')
    expect(await counter.handle(pipeline, 'c', { add: 1 })).toMatchObject({ version: 51 })
  })

  // G9 S3-14 S0-09
  test('of fifty commands at once on one stream each happens once, and versions have no holes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-decider-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const pipeline = await pipelineWith(sqlite({ path: join(folder, 'events.db') }))
    // Each of them knows nothing of the others, as in processes of their own.
    const one = () => decider({ ...spec, snapshot: { every: 7, version: 1 } })
    const kept = one()
    // Ten of them are sent twice.
    const ids = Array.from({ length: 60 }, (_, index) => `k${index % 50}`)
    const answers = await Promise.all(ids.map((id) => one().handle(pipeline, 'c', { add: 1 }, { id, attempts: 100 })))
    const all = Array.from({ length: 50 }, (_, index) => index + 1)
    expect(
      answers
        .slice(0, 50)
        .map(({ version }) => version)
        .sort((a, b) => a - b),
    ).toEqual(all)
    for (const [index, { version, state, events }] of answers.entries()) {
      expect([state.sum, events.map(({ id }) => id)]).toEqual([version, [`c/${ids[index]}/0`]])
    }
    const found = await versions(pipeline, 'c')
    expect(found.map((each) => Number(each.split(':')[0]))).toEqual(all)
    expect(new Set(found.map((each) => each.split(':')[1])).size).toBe(50)
    expect(await counter.load(pipeline, 'c')).toEqual({ state: { sum: 50, steps: 50 }, version: 50 })
    expect(await kept.load(pipeline, 'c')).toEqual({ state: { sum: 50, steps: 50 }, version: 50 })
    await pipeline.stop()
  })
})

describe('a snapshot', () => {
  const snapshot = { every: 3, version: 1 }
  const place = ['millrace:/snapshots/counters', 'c'] as const

  async function filled(count: number, options: PipelineOptions = {}): Promise<Pipeline> {
    const pipeline = await pipelineWith(memory(), options)
    for (let step = 0; step < count; step++) await counter.handle(pipeline, 'c', { add: 1 })
    return pipeline
  }

  /** The sequences that a load reads. */
  async function readBy(pipeline: Pipeline, format = snapshot, until?: { version: number }): Promise<number[]> {
    const { seen, decider: watched } = watching(format)
    const { state, version } = await watched.load(pipeline, 'c', { until })
    expect([state.sum, state.steps]).toEqual([version, version])
    return seen
  }

  // S3-14
  test('is kept when many events were read, and the next load reads only what came after it', async () => {
    const pipeline = await filled(4)
    expect(await readBy(pipeline)).toEqual([1, 2, 3, 4])
    expect(await readBy(pipeline)).toEqual([])
    await counter.handle(pipeline, 'c', { add: 1 })
    expect(await readBy(pipeline)).toEqual([5])
    expect(await readBy(pipeline)).toEqual([5])
    const { seen, decider: watched } = watching(snapshot)
    await watched.handle(pipeline, 'c', { add: 1 })
    expect(seen).toEqual([5, 6])
  })

  test('of another version of the code is ignored', async () => {
    const pipeline = await filled(4)
    await readBy(pipeline)
    expect(await readBy(pipeline, { every: 3, version: 2 })).toEqual([1, 2, 3, 4])
    expect(await readBy(pipeline, { every: 3, version: 2 })).toEqual([])
  })

  test('that is newer than what is asked for is ignored, and one of the past takes nobody’s place', async () => {
    const pipeline = await filled(8)
    await readBy(pipeline)
    expect(await readBy(pipeline, snapshot, { version: 7 })).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(await readBy(pipeline, snapshot, { version: 8 })).toEqual([])
  })

  test('of another life of the store, or of a longer stream than there is, is ignored', async () => {
    const pipeline = await filled(4)
    await readBy(pipeline)
    const text = await pipeline.store.state.get(...place)
    const changed = (more: object) =>
      pipeline.store.state.set(...place, JSON.stringify({ ...JSON.parse(text!), ...more }))
    await changed({ incarnation: 'another' })
    expect(await readBy(pipeline)).toEqual([1, 2, 3, 4])
    await changed({ version: 99 })
    expect(await readBy(pipeline)).toEqual([1, 2, 3, 4])
  })

  test('that cannot be read is ignored and said, and a new one takes its place', async () => {
    const warn = vi.fn<Log['warn']>()
    const pipeline = await filled(4, { log: { debug() {}, info() {}, warn, error() {} } })
    for (const text of ['{', 'null', '7', '{"version":2}', '{"version":"2","state":{}}']) {
      await pipeline.store.state.set(...place, text)
      expect(await readBy(pipeline)).toEqual([1, 2, 3, 4])
      expect(await readBy(pipeline)).toEqual([])
    }
    expect(warn.mock.calls.map(([message]) => message)).toEqual(
      Array(5).fill('a snapshot cannot be read and is ignored'),
    )
  })

  test('that is lost, or cannot be kept, loses nothing', async () => {
    const warn = vi.fn<Log['warn']>()
    const pipeline = await filled(4, { log: { debug() {}, info() {}, warn, error() {} } })
    await readBy(pipeline)
    await pipeline.store.state.delete(place[0])
    vi.spyOn(pipeline.store.state, 'set').mockRejectedValue(new AppError('store-full', 'the disk is full'))
    expect(await readBy(pipeline)).toEqual([1, 2, 3, 4])
    expect(await counter.handle(pipeline, 'c', { add: 1 })).toMatchObject({ version: 5 })
    expect(warn).toHaveBeenCalledWith('a snapshot could not be kept', expect.objectContaining({ stream: 'c' }))
  })

  // G29
  test('lets a stream be loaded whose first events retention took; without one the load fails', async () => {
    const pipeline = await filled(5)
    await readBy(pipeline)
    await pipeline.store.prune({ events: 4 })
    expect(await readBy(pipeline)).toEqual([])
    await expect(counter.load(pipeline, 'c')).rejects.toMatchObject({ code: 'events-removed', facts: { oldest: 5 } })
  })
})
