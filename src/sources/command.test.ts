import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { memory } from 'millrace/stores/memory'
import { recordingSink } from 'millrace/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { listProcessIds, readProcess, variableOf } from '../io/process/table.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { SourceBatch } from '../plugin/source.ts'
import { createSourceContext, recordingLog } from '../testing/index.ts'
import { command } from './command.ts'

const onLinux = process.platform === 'linux'
const patient = { timeout: 15_000, interval: 10 }

let folder = ''
let stop = new AbortController()
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-command-')))
  stop = new AbortController()
})
afterEach(() => {
  stop.abort()
  rmSync(folder, { recursive: true, force: true })
})

const { declaration } = command
const sourceOf = (script: string, options: object = {}) =>
  declaration.create(
    declaration.options.parse({
      command: ['sh', '-c', script],
      grace: '100ms',
      pause: { first: '1ms' },
      env: { HOLDER: folder },
      ...options,
    }),
    { directory: folder, platform: nodePlatform },
  )

type Read = Pick<SourceBatch, 'events' | 'cursor'>

/** Reads until the source ends or enough events are there; stops it then. */
async function read(
  script: string,
  options: { enough?: number; from?: string; log?: ReturnType<typeof recordingLog>; [option: string]: unknown } = {},
) {
  const { enough = Number.POSITIVE_INFINITY, from, log = recordingLog(), ...rest } = options
  const source = sourceOf(script, rest)
  const batches: Read[] = []
  const context = createSourceContext({ name: 'feed', signal: stop.signal, log })
  for await (const batch of source.read(from, context)) {
    batches.push(batch)
    if (batches.flatMap(({ events }) => events).length >= enough) break
  }
  await source.close?.()
  return { batches, events: batches.flatMap(({ events }) => events), log }
}

const lines = (...values: unknown[]) =>
  `printf '%s\\n' ${values.map((value) => `'${JSON.stringify(value)}'`).join(' ')}`

const ofFolder = (): number[] =>
  listProcessIds().filter((pid) => readProcess(pid) !== undefined && variableOf(pid, 'HOLDER') === folder)

describe('the source command', () => {
  it('takes a line that is an event as it is, and any other JSON as the data of one', async () => {
    const event = { id: '1', source: 'shop', type: 'order.placed', data: { total: 1 } }
    const { events } = await read(lines(event, { total: 2 }, 'text'), { restart: 'never', eventType: 'order.seen' })
    expect(events[0]).toEqual(event)
    expect(events.slice(1)).toMatchObject([
      { id: expect.stringMatching(/^2-/), type: 'order.seen', data: { total: 2 } },
      { type: 'order.seen', data: 'text' },
    ])
  })

  it('leaves out what is not JSON or too long, says where, and goes on', async () => {
    const { events, log } = await read(`echo nonsense; ${lines('a'.repeat(99), 1)}`, {
      restart: 'never',
      maxLine: '50B',
    })
    expect(events.map(({ data }) => data)).toEqual([1])
    expect(log.lines.map(({ fields }) => fields)).toEqual([
      { line: 1, problem: 'not JSON' },
      { line: 2, problem: 'too-long' },
    ])
    expect(JSON.stringify(log.lines)).not.toContain('nonsense')
  })

  // S0-13
  it('gives the same line of a later run the same id, or a new one where lines repeat by nature', async () => {
    const script = lines({ up: true })
    const idsOf = async (ids: string) => (await read(script, { ids, enough: 2 })).events.map(({ id }) => id)
    const [first, second] = await idsOf('content')
    expect(second).toBe(first)
    expect(new Set(await idsOf('unique')).size).toBe(2)
  })

  it.each([
    ['always', 0, true],
    ['always', 3, true],
    ['on-failure', 0, false],
    ['on-failure', 3, true],
    ['never', 3, false],
  ])('with restart: %s, after exit code %i, starts again: %s', async (restart, code, again) => {
    const { events, log } = await read(`${lines(1)}; exit ${code}`, { restart, enough: 2 })
    expect(events).toHaveLength(again ? 2 : 1)
    expect(log.lines.some(({ message }) => message.includes(`exit code ${code}`))).toBe(code !== 0)
  })

  it('waits longer each time before it starts again', async () => {
    const waits: number[] = []
    const source = sourceOf('exit 1', { pause: { first: '1s', longest: '3s' } })
    const context = createSourceContext({
      name: 'feed',
      signal: stop.signal,
      sleep: async (ms) => waits.push(ms) < 4,
    })
    for await (const _ of source.read(undefined, context)) expect.unreachable()
    expect(waits).toEqual([1000, 2000, 3000, 3000])
  })

  it('tells the next run how far the last one had come, and takes that out of events', async () => {
    const event = { id: '1', source: 'shop', type: 'order.placed', at: 'a1' }
    const path = join(folder, 'given')
    const first = `${lines(event)}; sleep 0.05; ${lines({ at: { page: 2 } })}; exit`
    const script = `[ -n "$MILLRACE_CURSOR" ] || { ${first}; }; echo "$MILLRACE_CURSOR" > ${path}; ${lines({ n: 2, at: null })}`
    const { batches, events } = await read(script, { cursor: 'at', enough: 2 })
    expect(readFileSync(path, 'utf8')).toBe('{"page":2}\n')
    expect(batches.map(({ cursor }) => cursor)).toEqual(['a1', '{"page":2}', undefined])
    expect(events[0]).toEqual({ id: '1', source: 'shop', type: 'order.placed' })
    // The data of a line that is no event stays as it is.
    expect(events[1]!.data).toEqual({ n: 2, at: null })
  })

  it('gives the stored cursor to the first run', async () => {
    const { events } = await read('echo "{\\"got\\":\\"$MILLRACE_CURSOR\\"}"', {
      cursor: 'at',
      restart: 'never',
      from: 'page-7',
    })
    expect(events[0]!.data).toEqual({ got: 'page-7' })
  })

  it('drops half a line of a program that was cut off, and takes the last line of one that ended well', async () => {
    expect((await read('printf "1\\n2"; exit 1', { restart: 'never' })).events.map(({ data }) => data)).toEqual([1])
    expect((await read('printf "1\\n2"', { restart: 'never' })).events.map(({ data }) => data)).toEqual([1, 2])
  })

  it('hands what the program says of itself to the log, some lines a second', async () => {
    const { log } = await read('for n in $(seq 100); do echo "trouble $n" >&2; done', { restart: 'never' })
    expect(log.lines[0]).toMatchObject({ level: 'warn', message: 'source feed: trouble 1' })
    expect(log.lines.length).toBeLessThan(40)
    const shown = log.lines.filter(({ message }) => message.includes('trouble')).length
    const leftOut = log.lines.reduce((sum, { fields }) => sum + ((fields as { leftOut?: number })?.leftOut ?? 0), 0)
    expect(shown + leftOut).toBe(100)
  })

  // G28
  it('does not read on while a batch is not stored, so that the program waits', async () => {
    const path = join(folder, 'written')
    writeFileSync(path, '')
    const script = `n=0; while :; do n=$((n+1)); printf '%01000d\\n' 0 | tr 0 1; echo $n > ${path}; done`
    const source = sourceOf(script)
    const reading = source.read(undefined, createSourceContext({ signal: stop.signal }))[Symbol.asyncIterator]()
    await reading.next()
    const written = () => Number(readFileSync(path, 'utf8'))
    // It stands still once the pipe and the stream are full.
    let before = -1
    await vi.waitFor(
      () => {
        const now = written()
        const isStill = now === before && now > 0
        before = now
        expect(isStill).toBe(true)
      },
      { timeout: 15_000, interval: 300 },
    )
    expect(written()).toBeLessThan(1000)
    await reading.return?.()
  })

  // SEC-63
  it.runIf(onLinux)('ends the program and all it started when the pipeline stops', async () => {
    const sink = recordingSink()
    const script = `${lines(1)}; trap "" TERM; setsid sleep 1000 & sleep 1000`
    const pipeline = await openPipeline({
      store: memory(),
      sources: { feed: command({ command: ['sh', '-c', script], env: { HOLDER: folder }, grace: '50ms' }) },
      subscriptions: { all: { sink } },
    })
    await vi.waitFor(() => expect(sink.received).toHaveLength(1), patient)
    await vi.waitFor(() => expect(ofFolder()).toHaveLength(3), patient)
    await pipeline.stop()
    expect(ofFolder()).toEqual([])
  })

  it('whose program is missing keeps the pipeline from starting', async () => {
    const sources = { feed: command({ command: ['no-such-program'] }) }
    await expect(openPipeline({ store: memory(), sources, subscriptions: {} })).rejects.toThrow(
      /no-such-program in PATH/,
    )
  })
})
