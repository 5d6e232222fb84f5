import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createPluginContext, recordingLog } from '../../testing/plugin-context.ts'
import { stageInputOf } from '../../testing/stage-cases.ts'
import { nodePlatform } from '../platform.ts'
import type { StageInput, StageResult } from '../stage.ts'
import { Pool } from './pool.ts'
import type { IsolateSetting } from './setting.ts'
import { isolatedStage } from './stage.ts'
import { startThread } from './thread.ts'

const directory = import.meta.dirname
const shared: IsolateSetting = { isShared: true, pool: { workers: 2, memoryMb: 64 } }
const own: IsolateSetting = { isShared: false, pool: { workers: 1, memoryMb: 64 } }

async function opened(
  name: string,
  setting = own,
  settings?: unknown,
  context = { directory, platform: nodePlatform },
) {
  const stage = isolatedStage(`./functions.test-support.ts#${name}`, settings, setting, context)
  onTestFinished(async () => stage.close?.())
  await stage.open?.(createPluginContext())
  return (input: Partial<StageInput> = {}, event = {}) =>
    Promise.resolve(stage.process(stageInputOf(event, input))) as Promise<StageResult | undefined>
}

describe('an isolated stage', () => {
  test('is given the same as one in the process, and its answer means the same', async () => {
    const log = recordingLog()
    const run = await opened('describe', own, { rate: 0.2 })
    const input = stageInputOf({ subject: 's', meta: '{"a":1}', time: '2026-01-01T00:00:00Z' })
    const answer = await run({ log, attempt: 3, context: input.context }, input.event.record)
    const { event } = input
    expect(answer).toEqual({
      outcome: 'ack',
      context: {
        kept: true,
        event: [1, 'shop', 'event-1', 'order.placed', 's', event.time, event.recordedtime],
        data: { n: 1 },
        meta: { a: 1 },
        frozen: [true, true, true, true],
        isOf: 'Event',
        attempt: 3,
        aborted: false,
        isNow: true,
        own: { rate: 0.2 },
        names: ['attempt', 'context', 'event', 'kept', 'log', 'now', 'signal'],
      },
    })
    expect(log.lines).toEqual([{ level: 'info', message: 'seen', fields: { id: 'event-1' } }])
  })

  test('has its classes written as JSON before they leave the thread; bytes and absent fields stay what they are', async () => {
    const run = await opened('withClasses')
    expect(await run()).toEqual({
      outcome: 'ack',
      context: { price: '12.50', url: 'https://example.org/a' },
      event: { data: { price: '12.50' }, time: new Date(0) },
      derive: [
        { type: 'bytes', data: new Uint8Array([1, 2]), datacontenttype: 'application/octet-stream' },
        { type: 'none' },
      ],
    })
  })

  test('may answer nothing, or what the engine will refuse', async () => {
    expect(await (await opened('nothing'))()).toBe(undefined)
    expect(await (await opened('ofNoUse'))()).toEqual({ outcome: 'perhaps' })
    await expect((await opened('withFunction'))()).rejects.toThrow('its context is a function')
  })

  test('that throws is a failed attempt with its reason, in the same thread', async () => {
    const run = await opened('throws')
    await expect(run()).rejects.toThrow('the tide is out')
    await expect(run()).rejects.toThrow('the tide is out')
  })

  test('shares its threads with the others of its pipeline, and as many calls run at once as there are threads', async () => {
    const context = { directory, platform: nodePlatform }
    const one = await opened('thread', shared, undefined, context)
    const two = await opened('thread', shared, undefined, context)
    const other = await opened('thread', shared, undefined, { ...context })
    const ids = async (runs: readonly (() => Promise<StageResult | undefined>)[]) =>
      new Set((await Promise.all(runs.map((run) => run()))).map((answer) => answer?.context?.['thread']))
    expect((await ids([one, two, one, two, one, two])).size).toBe(2)
    expect((await ids([one, two, one, two, other])).size).toBe(3)
  })
})

describe('a thread', () => {
  test('that goes on after its time is ended; the next call has a new one', async () => {
    const spin = await opened('spin', shared)
    await expect(spin({ signal: AbortSignal.timeout(50) })).rejects.toThrow('it did not end when it was told to')
    await expect(spin({ signal: AbortSignal.timeout(50) })).rejects.toThrow('it did not end when it was told to')
  })

  test('is told when the time is over, and may end in good order', async () => {
    const run = await opened('obey')
    const stopping = new AbortController()
    const answer = run({ signal: stopping.signal })
    setTimeout(() => stopping.abort(new Error('timed out after 50 ms')), 50)
    expect(await answer).toMatchObject({ context: { reason: 'timed out after 50 ms' } })
  })

  test('that exits fails its own call and no other; a new one is started', async () => {
    const exit = await opened('exit', shared)
    const calls = [exit({}, { subject: 'poison' }), exit(), exit(), exit()]
    await expect(calls[0]).rejects.toThrow('its worker thread ended: exit code 7')
    await expect(Promise.all(calls.slice(1))).resolves.toEqual([undefined, undefined, undefined])
    await expect(exit()).resolves.toBe(undefined)
  })

  test('that dies of an error nobody handles, or of its memory, says so', async () => {
    await expect((await opened('bug'))()).rejects.toThrow('its worker thread ended: nobody handles this')
    await expect((await opened('fillMemory'))()).rejects.toThrow('it used more than 64 MiB of memory')
  })

  test('is started later and later while they die one after the other', async () => {
    const exit = await opened('exit')
    const beganAt = performance.now()
    for (let i = 0; i < 3; i++) await expect(exit({}, { subject: 'poison' })).rejects.toThrow('exit code 7')
    await expect(exit()).resolves.toBe(undefined)
    expect(performance.now() - beganAt).toBeGreaterThan(650)
  })

  test('that the system does not give is asked for again, and calls wait', async () => {
    let refusals = 3
    const pool = new Pool(own.pool, (...given) => {
      if (refusals-- > 0) throw new Error('no thread can be made')
      return startThread(...given)
    })
    onTestFinished(() => pool.close())
    const target = { url: new URL('functions.test-support.ts', import.meta.url).href, name: 'nothing' }
    await pool.load(target, createPluginContext())
    expect(refusals).toBe(-1)
  })

  test('that nobody is free for in time leaves the call uncounted', async () => {
    const run = await opened('spin')
    const first = run({ signal: AbortSignal.timeout(100) })
    const second = run({ signal: AbortSignal.timeout(50) })
    expect(await second).toEqual({ outcome: 'retry', isWait: true, delay: '1s', reason: 'no worker thread was free' })
    await expect(first).rejects.toThrow('it did not end')
    expect(await run({ signal: AbortSignal.abort() })).toMatchObject({ isWait: true })
  })

  test('that sends rubbish, and lines without end, disturbs nobody', async () => {
    const log = recordingLog()
    const run = await opened('rubbish')
    expect(await run({ log })).toEqual({ outcome: 'ack', context: { whole: true } })
    expect(log.lines.length).toBe(1000)
    expect(log.lines.at(-1)!.message).toContain('the last line')
  })

  test('ends with the last stage that uses it, also in the middle of a call', async () => {
    const stage = isolatedStage('./functions.test-support.ts#spin', undefined, own, {
      directory,
      platform: nodePlatform,
    })
    await stage.open!(createPluginContext())
    const call = Promise.resolve(stage.process(stageInputOf()))
    const rejected = expect(call).rejects.toThrow('closed')
    await stage.close!()
    await rejected
    await stage.close!()
    await expect(stage.process(stageInputOf())).rejects.toThrow('not opened')
  })
})

describe('a function that cannot be loaded stops the start', () => {
  test.each([
    ['./nowhere.ts', /loading \.\/nowhere\.ts into a worker thread failed: .*nowhere\.ts/],
    ['./functions.test-support.ts', /its default export is missing; it exports bug, describe, /],
    ['./functions.test-support.ts#absent', /its export absent is missing/],
    ['./functions.test-support.ts#number', /its export number is not a function: only functions can be isolated/],
    [pathToFileURL(`${directory}/nowhere.ts`).href, /nowhere\.ts/],
  ])('%s', async (file, reason) => {
    const stage = isolatedStage(file, undefined, own, { directory, platform: nodePlatform })
    onTestFinished(async () => stage.close?.())
    await expect(stage.open?.(createPluginContext())).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringMatching(reason) as unknown,
    })
  })
})
