import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type AppError, createPipeline, openPipeline } from 'millrace'
import { defineSource, schema } from 'millrace/plugin'
import { memory } from 'millrace/stores/memory'
import { sqlite } from 'millrace/stores/sqlite'
import { recordingSink } from 'millrace/testing'
import { expect, onTestFinished, test } from 'vitest'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** A source that says what happens to it and yields one event. */
function talkingSource() {
  const said: string[] = []
  const source = defineSource({
    name: 'talking',
    summary: 'Says what happens to it.',
    options: schema.strictObject({}),
    example: {},
    create() {
      said.push('created')
      return {
        async *read(_, { signal }) {
          said.push('reads')
          yield { events: [{ source: 'talking', id: '1', type: 'a.b' }] }
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
          said.push('is told to stop')
        },
        close() {
          said.push('closed')
        },
      }
    },
  })
  return { said, source: source({}) }
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-lifecycle-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

// S1-10
test.each([
  ['a folder where the file should be', 'taken'],
  ['a file where its folder should be', 'notes.txt/events.db'],
  ['a folder that nobody can write', '/proc/1/events.db'],
  ['a file of another kind', 'notes.txt'],
])('%s stops the start with the path and the reason, before any source is made', async (_, name) => {
  const { said, source } = talkingSource()
  const at = folder()
  mkdirSync(join(at, 'taken'))
  writeFileSync(join(at, 'notes.txt'), 'no database '.repeat(500))
  const path = resolve(at, name)
  const failure = await openPipeline({ store: sqlite({ path }), sources: { talking: source } }, { log: silent }).then(
    () => undefined,
    (error: AppError) => error,
  )
  expect(failure?.code).toMatch(/^store-/)
  expect(failure?.message).toContain(path)
  expect(said).toEqual([])
})

// S1-10, S0-40, S0-41
test('stop ends the sources, then closes the store: another process may have it at once', async () => {
  const { said, source } = talkingSource()
  const path = join(folder(), 'events.db')
  const sink = recordingSink()
  const first = await openPipeline(
    { store: sqlite({ path }), sources: { talking: source }, subscriptions: { all: { sink } } },
    { log: silent },
  )
  while (sink.sequences.length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  const busy = openPipeline({ store: sqlite({ path }) }, { log: silent })
  await expect(busy).rejects.toMatchObject({ code: 'store-locked' })
  await first.stop()
  expect(said).toEqual(['created', 'reads', 'is told to stop', 'closed'])
  await expect(first.store.commit([{}])).rejects.toMatchObject({ code: 'store-closed' })
  const second = await openPipeline({ store: sqlite({ path }) }, { log: silent })
  expect(second.store.head()).toBe(1)
  await second.stop()
})

test('what is new is counted, a duplicate wakes nobody, and meta is an empty object when nothing was given', async () => {
  // S0-60 S0-61 S0-62
  const sink = recordingSink()
  await using pipeline = await openPipeline(
    { store: sqlite({ path: join(folder(), 'events.db') }), subscriptions: { all: { sink } } },
    { log: silent },
  )
  const event = (id: string) => ({ source: 'shop', id, type: 'order.placed', data: {} })
  const first = await pipeline.publish([event('1'), event('2'), event('1'), { source: 'shop' } as never])
  expect(first.map(({ status }) => status)).toEqual(['stored', 'stored', 'duplicate', 'refused'])
  await pipeline.idle()
  expect(sink.received.map(({ event: { id, meta } }) => [id, meta])).toEqual([
    ['1', {}],
    ['2', {}],
  ])
  const woken: string[] = []
  const stop = new AbortController()
  const waiting = pipeline.store.wait(pipeline.store.head(), stop.signal).then(() => woken.push('woken'))
  expect(await pipeline.publish(event('2'))).toMatchObject({ status: 'duplicate', sequence: 2 })
  await pipeline.idle()
  expect([woken, sink.received.length]).toEqual([[], 2])
  await pipeline.publish(event('3'))
  await waiting
  expect(woken).toEqual(['woken'])
})

// SEC-87
test.each(['memory', 'sqlite'] as const)(
  'embedded, on %s, it adds nothing to the process that others notice',
  async (kind) => {
    const events = [
      'exit',
      'beforeExit',
      'uncaughtException',
      'unhandledRejection',
      'warning',
      'SIGTERM',
      'SIGINT',
      'SIGUSR1',
    ]
    const look = () => ({
      listeners: Object.fromEntries(events.map((name) => [name, process.listenerCount(name)])),
      names: process.eventNames().length,
      open: process.getActiveResourcesInfo().filter((type) => /server|process|udp/i.test(type)),
      globals: Object.getOwnPropertyNames(globalThis).length,
      umask: process.umask(),
      directory: process.cwd(),
    })
    const before = look()
    const sink = recordingSink()
    const store = kind === 'memory' ? memory() : sqlite({ path: join(folder(), 'events.db') })
    const pipeline = await openPipeline({ store, subscriptions: { all: { sink } } }, { log: silent })
    await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed' })
    await pipeline.idle()
    expect(sink.received).toHaveLength(1)
    expect(look()).toEqual(before)
    await pipeline.stop()
    expect(look()).toEqual(before)
  },
)

test('what is asked of a pipeline that is not open is a rejected promise that says what to do', async () => {
  const pipeline = createPipeline({ store: memory(), subscriptions: { a: {} } })
  const event = { source: 's', id: '1', type: 'a' }
  const asked: Readonly<Record<string, () => Promise<unknown>>> = {
    publish: () => pipeline.publish(event),
    many: () => pipeline.publish([]),
    append: () => pipeline.append('s', [], { expect: 0 }),
    explain: () => pipeline.explain(1),
    idle: () => pipeline.idle(),
    health: () => pipeline.health(),
    subscriptions: () => pipeline.subscriptions(),
    subscription: () => pipeline.subscription('a'),
    pause: () => pipeline.pause('a'),
    resume: () => pipeline.resume('a'),
    drop: () => pipeline.drop('a'),
    dead: () => pipeline.dead('a', { limit: 1 }),
    redriveQuarantined: () => pipeline.redriveQuarantined(1),
    audit: () => pipeline.audit(),
  }
  for (const [name, ask] of Object.entries(asked)) {
    const answer = ask()
    await expect(answer, name).rejects.toThrow('the pipeline is not open; call open() or start() first')
  }
})
