import { afterEach, expect, test } from 'vitest'
import { AppError } from '../../core/errors.ts'
import type { EventRecord } from '../../core/event.ts'
import { compilePatterns } from '../../core/match.ts'
import { nodePlatform } from '../../plugin/platform.ts'
import type { Store, StreamEvent } from '../../plugin/store.ts'
import { memory } from '../../stores/memory.ts'
import { createVirtualPlatform } from '../../testing/virtual-platform.ts'
import type { Pipeline } from '../api.ts'
import { engineWith, type Spec, policy as specPolicy } from '../engine-fixture.test-support.ts'
import type { EngineSetup } from '../setup.ts'
import type { StreamEventInput } from './face.ts'

const open: Pipeline[] = []
afterEach(async () => {
  for (const pipeline of open.splice(0)) await pipeline.stop()
})

/** An engine over a memory store; types of accounts and orders belong to streams. */
async function engine(subscriptions: readonly Spec[] = [], change: Partial<EngineSetup> = {}): Promise<Pipeline> {
  const store = await memory.declaration.open({}, { directory: '.', platform: change.platform ?? nodePlatform })
  const isStreamed = compilePatterns(['account.*', 'order.*'])
  const made = await engineWith(subscriptions, store, true, { isStreamed, ...change })
  open.push(made.engine)
  return made.engine
}

const fact = (id: string, more: Partial<StreamEventInput> = {}): StreamEventInput => ({
  source: 'bank',
  id,
  type: 'account.credited',
  data: { id },
  ...more,
})

async function all(events: AsyncIterable<StreamEvent>): Promise<string[]> {
  const found: string[] = []
  for await (const { version, event } of events) found.push(`${version}:${event.id}`)
  return found
}

async function failure(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(AppError)
  return error as AppError
}

// S3-14 G9
test('an append answers the version, and the next one builds on it', async () => {
  const pipeline = await engine()
  const first = await pipeline.append('a-1', [fact('1'), fact('2')], { expect: 0 })
  expect(first).toEqual({
    version: 2,
    results: [
      { source: 'bank', id: '1', status: 'stored', sequence: 1, durability: 'memory' },
      { source: 'bank', id: '2', status: 'stored', sequence: 2, durability: 'memory' },
    ],
  })
  expect((await pipeline.append('a-1', [fact('3')], { expect: first.version })).version).toBe(3)
  expect((await pipeline.append('a-1', [fact('4')], { expect: 'any' })).version).toBe(4)
  expect(await all(pipeline.readStream('a-1'))).toEqual(['1:1', '2:2', '3:3', '4:4'])
  expect(await pipeline.streamVersion('a-1')).toBe(4)
})

test('an append against another version changes nothing and tells both versions', async () => {
  const pipeline = await engine()
  await pipeline.append('a-1', [fact('1')], { expect: 0 })
  for (const expected of [0, 2]) {
    const error = await failure(pipeline.append('a-1', [fact('x')], { expect: expected }))
    expect(error.code).toBe('version-conflict')
    expect(error.facts).toEqual({ stream: 'a-1', expected, actual: 1 })
  }
  expect(pipeline.store.head()).toBe(1)
})

// G6
test('the same append again is answered as a duplicate, although the version has moved on', async () => {
  const pipeline = await engine()
  const events = [fact('1', { data: { b: 1, a: 2 } }), fact('2')]
  const first = await pipeline.append('a-1', events, { expect: 0 })
  await pipeline.append('a-1', [fact('3')], { expect: 2 })
  for (const expected of [0, 3, 'any'] as const) {
    const again = await pipeline.append('a-1', [fact('1', { data: { a: 2, b: 1 } }), fact('2')], { expect: expected })
    expect(again.version).toBe(2)
    expect(again.results.map(({ status, sequence }) => [status, sequence])).toEqual(
      first.results.map(({ sequence }) => ['duplicate', sequence]),
    )
  }
  expect(pipeline.stats().published).toMatchObject({ stored: 3, duplicate: 6 })
})

test('an append that is only partly there, or has other content, is a conflict and stores nothing', async () => {
  const pipeline = await engine()
  await pipeline.append('a-1', [fact('1')], { expect: 0 })
  await pipeline.append('a-2', [fact('z')], { expect: 0 })
  const wrong = [[fact('1'), fact('new')], [fact('1', { data: 'other' })], [fact('z')]]
  for (const events of wrong)
    for (const expected of [1, 'any'] as const)
      expect((await failure(pipeline.append('a-1', events, { expect: expected }))).code).toBe('event-conflict')
  expect(pipeline.store.head()).toBe(2)
})

test('an event that was stored before its type was declared is in no stream, and is not answered as if it were', async () => {
  const pipeline = await engine()
  const { store } = pipeline
  const record: EventRecord = { source: 'bank', id: 'old', type: 'account.credited', subject: 'a-1', data: '1' }
  await store.commit([{ events: [record] }])
  const error = await failure(pipeline.append('a-1', [fact('old', { data: 1 })], { expect: 0 }))
  expect(error.code).toBe('event-conflict')
  expect(await all(pipeline.readStream('a-1'))).toEqual([])
})

test('one event that would be refused refuses the append, and says which and why', async () => {
  const pipeline = await engine()
  const refused: [readonly StreamEventInput[], RegExp][] = [
    [[fact('1'), fact('')], /event 1 of 2 is not valid.*id is empty/],
    [[fact('1'), fact('2', { type: 'mail.sent' })], /event 1 of 2 has the type mail.sent, which is not declared/],
    [[fact('1'), fact('1')], /two of the events have the same source and id/],
    [[], /there is no event to append/],
    [[{ ...fact('1'), subject: 'a-2' } as StreamEventInput], /event 0 of 1 has another subject/],
    [[fact('1', { source: 'millrace:/x' })], /source begins with millrace:/],
  ]
  for (const [events, why] of refused) {
    const error = await failure(pipeline.append('a-1', events, { expect: 'any' }))
    expect([error.code, error.message]).toEqual(['event-invalid', expect.stringMatching(why)])
  }
  expect((await failure(pipeline.append('', [fact('1')], { expect: 'any' }))).code).toBe('event-invalid')
  for (const expected of [-1, 1.5, Number.NaN])
    expect((await failure(pipeline.append('a-1', [fact('1')], { expect: expected }))).code).toBe('bad-request')
  expect(pipeline.store.head()).toBe(0)
})

// S0-30
test('data that does not fit its schema refuses the append, also where publish would keep it aside', async () => {
  const check = (data: unknown) => (data === 'right' ? [] : [{ path: '', message: 'is wrong' }])
  const schemas = new Map([
    [
      'account.credited',
      {
        type: 'account.credited',
        versions: new Map([[1, { version: 1, mode: 'quarantine' as const, check }]]),
        upcasts: new Map(),
        newest: 1,
      },
    ],
  ])
  const pipeline = await engine([], { schemas })
  const events = [fact('1', { data: 'right' }), fact('2', { data: 'wrong' })]
  const error = await failure(pipeline.append('a-1', events, { expect: 0 }))
  expect([error.code, error.message]).toEqual(['schema-mismatch', expect.stringMatching(/^event 1 of 2/)])
  expect(pipeline.store.head()).toBe(0)
  expect((await pipeline.append('a-1', events.slice(0, 1), { expect: 0 })).version).toBe(1)
  // What is quarantined is an event of the engine's, and of no stream.
  const put = await pipeline.publish({ ...fact('3', { data: 'wrong' }), subject: 'a-1' })
  expect(put.status).toBe('quarantined')
  expect(await pipeline.streamVersion('a-1')).toBe(1)
})

// S3-14
test('every door puts events of a declared type into their stream, and others into none', async () => {
  const pipeline = await engine()
  await pipeline.publish({ ...fact('1'), subject: 'a-1' })
  await pipeline.publish([
    { ...fact('2'), subject: 'a-1' },
    { ...fact('2'), subject: 'a-1' },
    fact('m', { type: 'mail' }),
  ])
  await pipeline.ingest([{ source: 'bank', id: '3', type: 'order.placed', subject: 'a-1' }])
  expect(await all(pipeline.readStream('a-1'))).toEqual(['1:1', '2:2', '3:3'])
})

test('an event that a stage derives enters its stream; one without a subject rejects the step', async () => {
  const pipeline = await engine([
    {
      policy: { ...specPolicy('derive'), match: ['mail'] },
      stages: {
        book: ({ event }) => ({
          outcome: 'ack',
          derive: [{ type: 'account.debited', subject: event.subject, data: 1 }],
        }),
      },
    },
  ])
  await pipeline.publish(fact('1', { type: 'mail' }))
  await pipeline.publish({ ...fact('2', { type: 'mail' }), subject: 'a-1' })
  await pipeline.idle()
  expect(await all(pipeline.readStream('a-1'))).toEqual(['1:2/book/0'])
  const [dead] = await pipeline.dead('derive', { limit: 5 })
  expect(dead?.reason).toMatch(/it derived an event: subject is missing: events of type account.debited/)
})

test('an event of a declared type without a subject is refused at every door', async () => {
  const pipeline = await engine()
  const error = await failure(pipeline.publish(fact('1')))
  expect([error.code, error.message]).toEqual(['event-invalid', expect.stringMatching(/subject is missing/)])
  const many = await pipeline.publish([fact('1'), { ...fact('2'), subject: 'a-1' }])
  expect(many.map(({ status }) => status)).toEqual(['refused', 'stored'])
  const [result] = await pipeline.ingest([{ source: 'bank', id: '4', type: 'order.placed' }])
  expect(result).toMatchObject({ status: 'refused', error: { code: 'event-invalid' } })
})

test('a stream is read after a version, in parts, and up to a version', async () => {
  const pipeline = await engine()
  await pipeline.append(
    'a-1',
    Array.from({ length: 1200 }, (_, index) => fact(`${index + 1}`)),
    { expect: 0 },
  )
  expect(await all(pipeline.readStream('a-1'))).toHaveLength(1200)
  expect(await all(pipeline.readStream('a-1', { after: 3, limit: 2 }))).toEqual(['4:4', '5:5'])
  expect(await all(pipeline.readStream('a-1', { after: 1, until: { version: 3 } }))).toEqual(['2:2', '3:3'])
  expect(await all(pipeline.readStream('a-1', { after: 1200 }))).toEqual([])
  expect(await all(pipeline.readStream('a-1', { after: 9999 }))).toEqual([])
  expect(await all(pipeline.readStream('nothing'))).toEqual([])
  expect((await failure(all(pipeline.readStream('a-1', { after: -1 })))).code).toBe('bad-request')
  expect((await failure(all(pipeline.readStream('a-1', { until: { time: 'soon' } })))).code).toBe('bad-request')
})

// S3-14
test('a stream is read as it was at any time: what was appended before it', async () => {
  const platform = createVirtualPlatform()
  const pipeline = await engine([], { platform })
  const times: string[] = []
  for (let index = 0; index < 4; index++) {
    times.push(new Date(platform.clock.now()).toISOString())
    await pipeline.append('a-1', [fact(`${index + 1}`)], { expect: index })
    await pipeline.append('other', [fact(`o${index + 1}`)], { expect: index })
    await platform.advance(60_000)
  }
  const seen = await Promise.all(times.map((time) => all(pipeline.readStream('a-1', { until: { time } }))))
  expect(seen).toEqual([[], ['1:1'], ['1:1', '2:2'], ['1:1', '2:2', '3:3']])
  expect(await pipeline.streamVersion('a-1', { time: '2999-01-01T00:00:00Z' })).toBe(4)
  expect(await pipeline.streamVersion('a-1', { time: '1999-01-01T00:00:00Z' })).toBe(0)
  expect(await pipeline.streamVersion('a-1', { version: 2 })).toBe(2)
  expect(await pipeline.streamVersion('a-1', { version: 9 })).toBe(4)
})

// G29
test('events that retention took are said, and what is kept can be read', async () => {
  const pipeline = await engine()
  const { store } = pipeline
  await pipeline.append('a-1', [fact('1'), fact('2'), fact('3')], { expect: 0 })
  await prune(store, 2)
  const error = await failure(all(pipeline.readStream('a-1')))
  expect([error.code, error.facts]).toEqual(['events-removed', { stream: 'a-1', oldest: 3 }])
  expect((await failure(all(pipeline.readStream('a-1', { until: { version: 1 } })))).code).toBe('events-removed')
  expect(await all(pipeline.readStream('a-1', { after: 2 }))).toEqual(['3:3'])
  await prune(store, 3)
  expect((await failure(all(pipeline.readStream('a-1', { after: 2 })))).facts).toEqual({ stream: 'a-1', oldest: 4 })
  expect(await all(pipeline.readStream('a-1', { after: 3 }))).toEqual([])
  // Source and id are remembered longer than the event.
  const again = await pipeline.append('a-1', [fact('3')], { expect: 2 })
  expect(again).toMatchObject({ version: 3, results: [{ status: 'duplicate' }] })
})

test('the version at a time is told where what is kept tells it, and else said to be unknown', async () => {
  const platform = createVirtualPlatform()
  const pipeline = await engine([], { platform })
  const times: string[] = []
  for (let index = 0; index < 4; index++) {
    times.push(new Date(platform.clock.now()).toISOString())
    await pipeline.append('a-1', [fact(`${index + 1}`)], { expect: index })
    await platform.advance(60_000)
  }
  await pipeline.append('a-2', [fact('z')], { expect: 0 })
  await prune(pipeline.store, 2)
  const at = (stream: string, time: number) => pipeline.streamVersion(stream, { time: times[time]! })
  expect(await at('a-1', 3)).toBe(3)
  // The removed ones came before that, or after it: nobody knows.
  for (const time of [0, 1, 2])
    expect(await failure(at('a-1', time))).toMatchObject({
      code: 'events-removed',
      message: expect.stringMatching(/as it was at .* failed: retention removed/),
    })
  expect(await at('a-2', 0)).toBe(0)
})

test('old events are read in the newest version of their type, and one that cannot be brought there fails the read', async () => {
  let isBroken = false
  const upcast = (data: { readonly id: string }) => {
    if (isBroken) throw new Error('broken')
    return { name: data.id }
  }
  const known = { type: 'account.credited', versions: new Map(), upcasts: new Map([[1, upcast as never]]), newest: 2 }
  const pipeline = await engine([], { schemas: new Map([['account.credited', known]]) })
  const { store } = pipeline
  const records = ['1', '2'].map((id) => ({ source: 'bank', id, type: known.type, data: `{"id":"${id}"}` }))
  await store.commit([{ events: records.slice(0, 1), streams: ['a-1'] }])
  for await (const { event } of pipeline.readStream('a-1')) expect(event.data).toEqual({ name: '1' })
  isBroken = true
  await store.commit([{ events: records.slice(1), streams: ['a-1'] }])
  const error = await failure(all(pipeline.readStream('a-1')))
  expect([error.code, error.message]).toEqual(['plugin-failed', expect.stringMatching(/at version 2: .*broken/)])
})

// G9 S0-09
test('of many that append to one stream at once against what they read, each wins once and nothing is between', async () => {
  const pipeline = await engine()
  const append = async (name: string): Promise<void> => {
    for (let left = 3; left > 0; ) {
      const version = await pipeline.streamVersion('a-1')
      await pipeline.append('a-1', [fact(`${name}${left}`)], { expect: version }).then(
        () => {
          left -= 1
        },
        (error: AppError) => expect(error.code).toBe('version-conflict'),
      )
    }
  }
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map(append))
  const found = await all(pipeline.readStream('a-1'))
  expect(found.map((each) => each.split(':')[0])).toEqual(Array.from({ length: 15 }, (_, index) => `${index + 1}`))
  expect(new Set(found.map((each) => each.split(':')[1])).size).toBe(15)
})

test('subscriptions get what is appended to streams like everything else', async () => {
  const pipeline = await engine([{ policy: specPolicy('all') }])
  await pipeline.append('a-1', [fact('1'), fact('2')], { expect: 0 })
  await pipeline.idle()
  expect((await pipeline.subscription('all')).counters.delivered).toBe(2)
})

async function prune(store: Store, events: number): Promise<void> {
  while ((await store.prune({ events })).events > 0);
}
