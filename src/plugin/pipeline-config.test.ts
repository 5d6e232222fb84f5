import { describe, expect, test } from 'vitest'
import { formatIssue } from '../core/issues.ts'
import { standardWebhooksRetry } from '../core/retry.ts'
import { createCatalogue } from './catalogue.ts'
import { defineSink, defineSource, defineStage } from './define.ts'
import { checkPipeline } from './pipeline-config.ts'
import { nodePlatform } from './platform.ts'
import { schema } from './schema.ts'
import { stage } from './stage-function.ts'
import { unopenedStore as memory } from './stub-plugins.test-support.ts'
import { duration } from './values.ts'

const hook = defineSink({
  name: 'webhook',
  summary: 'Sends.',
  delivers: '',
  options: schema.strictObject({ url: schema.url(), patience: duration('Patience.').optional() }),
  example: {},
  defaults: { concurrency: 8, timeoutMs: 20_000, retry: standardWebhooksRetry },
  create: () => ({ deliver: () => undefined }),
})
const plain = defineSink({
  name: 'console',
  summary: 'Prints.',
  delivers: '',
  options: schema.strictObject({}),
  example: {},
  orderings: ['none', 'key'],
  create: () => ({ deliver: () => undefined }),
})
const ticker = defineSource({
  name: 'generate',
  summary: 'Ticks.',
  options: schema.strictObject({ every: duration('Pace.').prefault('10s') }),
  example: {},
  create: () => ({ async *read() {} }),
})
const filter = defineStage({
  name: 'filter',
  summary: 'Filters.',
  options: schema.strictObject({ when: schema.string() }),
  example: {},
  create: ({ when }) => ({ process: () => ({ outcome: 'discard', reason: when }) }),
})
const catalogue = createCatalogue([memory, hook, plain, ticker, filter])
const context = { directory: '/', platform: nodePlatform }

function planOf(config: unknown) {
  const checked = checkPipeline(config, catalogue, context)
  if (!checked.ok) throw new Error(checked.issues.map(formatIssue).join('\n'))
  return checked.plan
}

function problemsOf(config: unknown): string[] {
  const checked = checkPipeline(config, catalogue, context)
  return checked.ok ? [] : checked.issues.map(formatIssue)
}

const withSubscription = (subscription: unknown) => ({ store: memory(), subscriptions: { a: subscription } })
const policyOf = (subscription: unknown) => planOf(withSubscription(subscription)).subscriptions[0]!.policy

describe('defaults', () => {
  test('everything but the store has one', () => {
    expect(planOf({ store: { type: 'memory' } })).toMatchObject({
      retention: { ageMs: undefined, sizeBytes: undefined, whenPinned: 'keep' },
      dedupMs: 30 * 86_400_000,
      historyMs: 7 * 86_400_000,
      server: { host: '127.0.0.1', port: 7117, tokens: [] },
      limits: { bodyBytes: 2 ** 20, batch: 10_000, depth: 64 },
      sources: [],
      subscriptions: [],
    })
  })

  test('a subscription without settings reads every type from now on, 16 at a time', () => {
    expect(policyOf({})).toMatchObject({
      from: undefined,
      match: ['*'],
      ordering: 'none',
      onFailure: 'block',
      concurrency: 16,
      timeoutMs: 15_000,
      throwAttempts: 10,
      start: { kind: 'now' },
      window: 1024,
      maxOpen: 100_000,
      dead: { keepMs: 30 * 86_400_000, redrive: undefined },
    })
    expect(policyOf({}).retry.attempts).toBe(Number.POSITIVE_INFINITY)
  })

  test("the sink's defaults stand where nothing is written, and what is written wins", () => {
    const sink = hook({ url: 'https://example.com' })
    expect(policyOf({ sink })).toMatchObject({
      concurrency: 8,
      timeoutMs: 20_000,
      retry: standardWebhooksRetry,
      throwAttempts: 10,
    })
    expect(policyOf({ sink, concurrency: 3, timeout: '1s', retry: { attempts: 4 } })).toMatchObject({
      concurrency: 3,
      timeoutMs: 1_000,
      retry: { attempts: 4, delaysMs: standardWebhooksRetry.delaysMs },
      throwAttempts: 4,
    })
  })

  test('growing waits replace the listed ones of the sink', () => {
    const { retry } = policyOf({
      sink: hook({ url: 'https://example.com' }),
      retry: { base: '2s', max: '1m', attempts: 'unlimited' },
    })
    expect(retry).toMatchObject({
      delaysMs: [],
      backoff: { baseMs: 2_000, factor: 2, maxMs: 60_000 },
      attempts: Number.POSITIVE_INFINITY,
    })
  })

  test('dead letters can be kept for ever, and strict ordering makes one attempt at a time', () => {
    expect(policyOf({ dead: { keep: 'forever' } }).dead.keepMs).toBeUndefined()
    expect(policyOf({ ordering: 'strict' }).concurrency).toBe(1)
  })

  test('the window holds at least four times what runs at once', () => {
    expect(policyOf({ concurrency: 1_000 }).window).toBe(4_000)
  })

  test('a start can be a word, a sequence or a time', () => {
    expect(policyOf({ start: 'beginning' }).start).toEqual({ kind: 'beginning' })
    expect(policyOf({ start: { sequence: 5 } }).start).toEqual({ kind: 'sequence', sequence: 5 })
    expect(policyOf({ start: { time: '2026-01-01T00:00:00Z' } }).start).toEqual({
      kind: 'time',
      timeMs: Date.UTC(2026, 0, 1),
    })
  })
})

describe('stages', () => {
  const stagesOf = (...stages: unknown[]) => planOf(withSubscription({ stages })).subscriptions[0]!.stages

  // S1-64
  test('a stage has concurrency 1 and buffer 1 unless told otherwise', () => {
    expect(stagesOf(stage('a', () => undefined))[0]).toMatchObject({
      name: 'a',
      concurrency: 1,
      buffer: 1,
      runsUserCode: true,
    })
    expect(stagesOf(stage('a', () => undefined, { concurrency: 10, buffer: 5, timeout: '2s' }))[0]).toMatchObject({
      concurrency: 10,
      buffer: 5,
      timeoutMs: 2_000,
    })
  })

  // S1-64
  test('two stages of one name, concurrency 0 and buffer 0 are refused', () => {
    const none = () => undefined
    expect(
      problemsOf(withSubscription({ stages: [stage('a', none), stage('a', none, { concurrency: 0, buffer: 0 })] })),
    ).toEqual([
      'subscriptions.a.stages[1].concurrency: a number of at least 1 is needed',
      'subscriptions.a.stages[1].buffer: a number of at least 1 is needed',
      'subscriptions.a.stages[1]: another stage of this subscription is named "a": give this one a name of its own',
    ])
  })

  // S1-18
  test('a stage has the name that it is given, else that of what it uses; so one plug-in may stand there twice', () => {
    const stages = [
      { use: 'filter', name: 'large', when: 'data.total > 100' },
      { use: filter({ when: 'x' }), name: 'other', concurrency: 10, buffer: 5 },
      { use: 'filter', when: 'x' },
      stage('code', () => undefined, { concurrency: 3, buffer: 2 }),
    ]
    expect(stagesOf(...stages).map(({ name, concurrency, buffer }) => [name, concurrency, buffer])).toEqual([
      ['large', 1, 1],
      ['other', 10, 5],
      ['filter', 1, 1],
      ['code', 3, 2],
    ])
  })

  test('a stage is not named sink: that is what the sink is called where stages are listed', () => {
    const stages = [stage('sink', () => undefined)]
    expect(problemsOf(withSubscription({ stages }))).toEqual([
      'subscriptions.a.stages[0]: sink is what the sink is called in attempts and statistics: give the stage another name',
    ])
  })

  test('a named stage takes its options beside use or under with, and runs no code of the user', async () => {
    for (const entry of [{ use: 'filter', when: 'x' }, { use: 'filter', with: { when: 'x' } }, filter({ when: 'x' })]) {
      const [use] = stagesOf(entry)
      expect(use).toMatchObject({ name: 'filter', runsUserCode: false })
      const made = await use!.create(context)
      expect(made.process({} as never)).toEqual({ outcome: 'discard', reason: 'x' })
    }
  })

  test('a function of a file can be isolated; what runs here, or cannot leave this thread, is refused', () => {
    const isolated = { use: './work.ts#heavy', name: 'heavy', isolate: true, concurrency: 4 }
    expect(stagesOf(isolated)[0]).toMatchObject({ name: 'heavy', concurrency: 4, isPure: false, runsUserCode: true })
    expect(stagesOf({ ...isolated, isolate: { workers: 2, memory: '64MiB' } })[0]).toMatchObject({ name: 'heavy' })
    const none = () => undefined
    const closure = stage('a', none, { isolate: true } as never)
    const stages = [
      closure,
      { use: none, name: 'b', isolate: true },
      { use: 'filter', when: 'x', isolate: true },
      { ...isolated, name: 'c', isolate: { workers: 0, memory: '1MiB' } },
      { ...isolated, name: 'd', isolate: 'yes' },
      { ...isolated, name: 'e', with: { f: none } },
      { ...isolated, name: 'f', when: 'x' },
      { use: './work.ts', isolate: true },
      { use: './work.ts', name: 'g', isolate: false },
    ]
    const only = 'isolate: only a function of a file can run in a worker thread, which loads it by itself: move it to'
    expect(problemsOf(withSubscription({ stages }))).toEqual(
      [
        `stages[0].${only}`,
        `stages[1].${only}`,
        `stages[2].${only}`,
        'stages[3].isolate.workers: a number of at least 1 is needed',
        'stages[3].isolate.memory: too small: at least 16MiB',
        'stages[4].isolate: true, or { workers: 2, memory: 512MiB } is needed',
        'stages[5].with: what goes to an isolated stage must be data',
        'stages[6].when: there is no such setting',
        'stages[7]: the stage needs a name',
        'stages[8].use: a file can be named only in a configuration file',
      ].map((words) => expect.stringContaining(`subscriptions.a.${words}`) as unknown),
    )
  })

  test("a stage's wrong options are placed where they were written", () => {
    expect(
      problemsOf(
        withSubscription({
          stages: [
            { use: 'filter', whn: 'x', when: 'y' },
            { use: 'filter', name: 'b', with: { when: 1 } },
          ],
        }),
      ),
    ).toEqual([
      'subscriptions.a.stages[0].whn: there is no such setting; did you mean when? (available: when)',
      'subscriptions.a.stages[1].with.when: text is needed, and this is a number',
    ])
  })
})

describe('problems', () => {
  // S0-52
  test('all of them are reported at once, each with its path', () => {
    const found = problemsOf({
      stor: 1,
      dedup: 30,
      sources: { tick: { type: 'generat' } },
      subscriptions: {
        a: { match: ['a*b'], sink: { type: 'webhook', urll: 'x' }, onFailure: 'park', ordring: 'key' },
        'b c': {},
      },
    })
    expect(found).toEqual([
      expect.stringMatching(/^store: this setting is missing/),
      expect.stringMatching(/^dedup: 30 has no unit/),
      'sources.tick.type: there is no source named "generat"; did you mean generate? (available: generate)',
      expect.stringMatching(/^subscriptions\.a\.match\[0\]: a star may stand alone/),
      'subscriptions.a.sink.url: this setting is missing: text is needed',
      'subscriptions.a.sink.urll: there is no such setting; did you mean url? (available: patience, url)',
      expect.stringMatching(/^subscriptions\.a\.ordring: there is no such setting; did you mean ordering\?/),
      expect.stringMatching(/^subscriptions\["b c"\]: a name is/),
      expect.stringMatching(/^stor: there is no such setting; did you mean store\?/),
      expect.stringMatching(/^subscriptions\.a\.onFailure: park holds back one key/),
    ])
  })

  test('park is refused where there are no keys', () => {
    expect(problemsOf(withSubscription({ onFailure: 'park' }))[0]).toContain('ordering none (the default)')
    expect(problemsOf(withSubscription({ onFailure: 'park', ordering: 'strict' }))[0]).toContain('ordering strict')
    expect(problemsOf(withSubscription({ onFailure: 'park', ordering: 'key' }))).toEqual([])
  })

  test.each([
    [{ guarantee: 'best-effort', dead: {} }, 'dead: a best-effort subscription keeps nothing but a queue in memory'],
    [{ buffer: 5 }, 'buffer: only a best-effort subscription has a buffer'],
    [{ coalesce: { window: '1s' }, ordering: 'key' }, 'coalesce: with ordering key nothing may overtake'],
    [{ timeout: 15 }, 'timeout: 15 has no unit: write a number with ms, s'],
    [{ retry: { attempts: 0 } }, 'retry.attempts: a number of at least 1 is needed'],
    [{ retry: { attempts: 'many' } }, 'retry.attempts: a whole number of at least 1 is needed, or unlimited'],
    [{ retry: { delays: ['1s'], factor: 2 } }, 'retry.factor: factor has no effect beside delays'],
    [{ dead: { keep: 30 } }, 'dead.keep: 30 has no unit'],
    [{ start: 'yesterday' }, 'start: now, beginning, { sequence: N }'],
    [{ start: { time: '2026-01-01' } }, 'start.time: a time such as'],
    [{ ordering: 'strict', concurrency: 4 }, 'concurrency: ordering strict makes one attempt at a time'],
    [{ ordering: 'strict', sink: { type: 'console' } }, 'ordering: the sink console cannot keep ordering strict'],
    [{ ordering: 'kye' }, 'ordering: this value cannot stand here; did you mean key? (available: key, none, strict)'],
    [{ recursive: true }, 'recursive: it is about events that its stages derive, and there are no stages'],
    [{ recursive: 'yes' }, 'recursive: true or false is needed'],
    [{ whre: 'data.total > 1' }, 'whre: there is no such setting'],
    [{ sink: 'console' }, 'sink: a mapping with a type is needed: { type: console }'],
    [{ sink: plain }, 'sink: call it with its options: console({ … })'],
    [{ sink: memory() }, 'sink: memory is a store, and a sink is needed here'],
    [{ sink: { type: './x.ts' } }, 'sink.type: a file can be named only in a configuration file'],
  ])('%j is refused in words that help', (subscription, words) => {
    const found = problemsOf(withSubscription(subscription))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`subscriptions.a.${words}`)
  })

  test('a plug-in in code and by name are checked the same', () => {
    const byName = problemsOf(withSubscription({ sink: { type: 'webhook', url: 3 } }))
    expect(problemsOf(withSubscription({ sink: { declaration: hook.declaration, options: { url: 3 } } }))).toEqual(
      byName,
    )
    expect(byName).toEqual(['subscriptions.a.sink.url: text is needed, and this is a number'])
  })

  test('a source that is nearly spelled as configured is a warning, not a problem', () => {
    const checked = checkPipeline(
      { ...withSubscription({ from: ['tikc', 'elsewhere'] }), sources: { tick: ticker() } },
      catalogue,
      context,
    )
    expect(checked.ok && checked.warnings.map(formatIssue)).toEqual([
      expect.stringMatching(/^subscriptions\.a\.from\[0\]: no source.*did you mean tick\?$/),
    ])
  })

  test('no message repeats a value that could be a secret', () => {
    const secret = 'hunter2-hunter2'
    const found = problemsOf(
      withSubscription({ sink: { type: 'webhook', url: secret }, concurrency: secret, retry: secret }),
    )
    expect(found).toHaveLength(3)
    expect(found.join()).not.toContain(secret)
  })
})
