import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventInput, Json, Sequence } from '../core/event.ts'
import type { DeadRow, DeliveryRow, KeptRow } from '../core/ledger-state.ts'
import { defineStage, defineStore } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput, StageResult } from '../plugin/stage.ts'
import type { Commit, Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { testPipeline } from '../testing/kit/test-pipeline.ts'
import { recordingSink } from '../testing/recording-sink.ts'

const stages = ['fold', 'tally'] as const
type Counts = Readonly<Record<string, number>>

/** One answer of a stage: what it comes to, and what it does beside keeping one more for the event. */
const answer = fc.record({
  outcome: fc.constantFrom('ack', 'ack', 'discard', 'reject', 'later', 'now', 'fail'),
  /** How far before the event those are that it wakes. */
  wake: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
  dueInMs: fc.constantFrom(undefined, undefined, -1000, 0, 30),
  derives: fc.boolean(),
  isAsync: fc.boolean(),
})
type Answer = typeof answer extends fc.Arbitrary<infer T> ? T : never

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      subject: fc.constantFrom('a', 'b', 'c'),
      fold: fc.array(answer, { minLength: 1, maxLength: 3 }),
      tally: fc.array(answer, { minLength: 1, maxLength: 2 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 20, 60, 700) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), afterCommits: fc.nat(4) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('fail' as const), how: fc.constantFrom('i/o error', 'answer lost') }),
  },
)

/** Keeps under the subject of the event how often it has counted each, as it says in the context of the delivery. */
const counting = (name: (typeof stages)[number]) =>
  defineStage({
    name,
    summary: 'For tests.',
    options: schema.strictObject({}).optional(),
    example: {},
    create: () => ({
      keyOf: ({ event }) => event.subject,
      process(input) {
        const { event } = input
        const answers = (event.data as unknown as Record<string, Answer[]>)[name]!
        const made = Number(input.context[name] ?? 0)
        const given = answers[made] ?? { outcome: 'ack', wake: [], dueInMs: undefined, derives: false, isAsync: false }
        const result = resultOf(name, given, made + 1, input)
        return given.isAsync ? Promise.resolve(result) : result
      },
      onDue: ({ key, value }) => ({
        keep: { value: { ...(value as Counts), due: ((value as Counts)['due'] ?? 0) + 1 } },
        derive: [{ type: 'told.due', data: { stage: name, key } }],
      }),
    }),
  })()

function resultOf(name: string, given: Answer, made: number, { event, kept, context, attempt, now }: StageInput) {
  if (given.outcome === 'fail' && attempt === 1) return { outcome: 'retry', delay: '10ms' } satisfies StageResult
  const waits = { later: '500ms', now: '0ms' }[given.outcome as string]
  const due = given.dueInMs === undefined ? {} : { dueAt: now + given.dueInMs }
  const result: StageResult = {
    ...(waits === undefined
      ? { outcome: given.outcome === 'fail' ? 'ack' : (given.outcome as 'ack') }
      : { outcome: 'retry', isWait: true, delay: waits }),
    keep: { value: { ...(kept as Counts | undefined), [event.sequence]: made }, ...due },
    context: { ...context, [name]: made },
    wake: given.wake.map((before) => event.sequence - before),
    derive: given.derives ? [{ type: 'told.step', id: `${made}`, data: { stage: name, of: event.sequence } }] : [],
  }
  return result
}

/** What a store was told in its commits: what a process that starts after the last of them finds. */
function createFound() {
  const kept = new Map<string, KeptRow>()
  const rows = new Map<Sequence, DeliveryRow | DeadRow | 'settled'>()
  const told: Record<string, Json>[] = []
  const problems: string[] = []

  const take = ({ ledgers = [], events = [] }: Commit): void => {
    for (const { subscription, put = [], remove = [], bury = [], history = [], kept: values = [] } of ledgers) {
      if (subscription !== 'work') continue
      for (const sequence of remove) rows.delete(sequence)
      for (const row of [...put, ...bury]) rows.set(row.sequence, row)
      for (const { runs } of history)
        for (const { from, count, state } of runs)
          for (let at = from; at < from + count; at++) if (state !== 'dead') rows.set(at, 'settled')
      for (const row of values) kept.set(`${row.stage} ${row.key}`, row)
    }
    for (const { type, data } of events)
      if (type.startsWith('told.')) told.push({ type, ...(JSON.parse(data as string) as Record<string, Json>) })
  }
  const counted = (stage: string): Map<string, number> => {
    const counts = new Map<string, number>()
    for (const row of kept.values())
      if (row.stage === stage && row.value !== null)
        for (const [sequence, n] of Object.entries(JSON.parse(row.value) as Counts))
          if (sequence !== 'due') counts.set(sequence, n)
    return counts
  }
  const check = (): void => {
    for (const stage of stages) {
      const counts = counted(stage)
      for (const sequence of counts.keys())
        if (!rows.has(Number(sequence))) problems.push(`${stage} has counted ${sequence}, which has no row`)
      for (const [sequence, row] of rows) {
        if (row === 'settled') continue
        const { [stage]: made = 0 } = JSON.parse(row.context ?? '{}') as Counts
        const has = counts.get(`${sequence}`) ?? 0
        if (has !== made) problems.push(`${stage} has counted ${sequence} ${has} times, and its row says ${made}`)
      }
      for (const { stage: from, key, value } of kept.values()) {
        if (from !== stage || value === null) continue
        const { due = 0 } = JSON.parse(value) as Counts
        const said = told.filter((one) => one['type'] === 'told.due' && one['stage'] === stage && one['key'] === key)
        if (due !== said.length)
          problems.push(`${stage} was told ${due} times that ${key} is due, and derived ${said.length}`)
      }
    }
  }
  return { take, check, problems, counted, told }
}

test('what stages keep has counted exactly the steps that are stored, after every commit', {
  timeout: 90_000,
}, async () => {
  // G9 G14
  const scenario = fc.record({
    steps: fc.array(step, { minLength: 2, maxLength: 30 }),
    concurrency: fc.constantFrom(1, 3, 8),
    isOrdered: fc.boolean(),
    hasSink: fc.boolean(),
    lateTurns: fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ steps, concurrency, isOrdered, hasSink, lateTurns }) => {
      const found = createFound()
      let commitsToCrash = Number.POSITIVE_INFINITY
      let crash = (): void => undefined
      let at = 0
      const late = async (): Promise<void> => {
        for (let turns = lateTurns[at++ % lateTurns.length]!; turns > 0; turns--)
          await new Promise((resolve) => setImmediate(resolve))
      }
      const watched = defineStore({
        name: 'watched',
        summary: 'For tests.',
        options: schema.strictObject({}).optional(),
        example: {},
        async open(_, tools): Promise<Store> {
          const store = await memory().declaration.open({}, tools)
          const commit = store.commit.bind(store)
          store.commit = async (commits) => {
            const results = await commit(commits)
            results.forEach(({ kind }, index) => {
              if (kind === 'ok') found.take(commits[index]!)
            })
            found.check()
            commitsToCrash -= 1
            if (commitsToCrash <= 0) {
              commitsToCrash = Number.POSITIVE_INFINITY
              crash()
            }
            await late()
            return results
          }
          const rows = store.rows.bind(store)
          store.rows = async (...args) => {
            const found = await rows(...args)
            await late()
            return found
          }
          return store
        },
      })
      await using pipeline = await testPipeline(
        {
          store: watched(),
          subscriptions: {
            work: {
              match: ['in.*'],
              ordering: isOrdered ? 'key' : 'none',
              stages: stages.map((name) => ({ use: counting(name), concurrency })),
              ...(hasSink && { sink: recordingSink() }),
            },
          },
        } as never,
        { store: watched() },
      )
      crash = () => pipeline.crash()
      let id = 0
      for (const one of steps) {
        if (one.kind === 'publish') {
          const { subject, fold, tally } = one
          const data = { fold, tally } as unknown as Json
          const event: EventInput = { source: 's', id: `${++id}`, type: 'in.put', subject, data }
          await pipeline.publish(event).catch(() => undefined)
        } else if (one.kind === 'wait') await pipeline.clock.advance(`${one.ms}ms`)
        else if (one.kind === 'crash') commitsToCrash = one.afterCommits
        else pipeline.failStore(one.how as 'answer lost')
        if (commitsToCrash === 0) pipeline.crash()
        if (pipeline.hasCrashed) await pipeline.restart()
        expect(found.problems).toEqual([])
      }
      commitsToCrash = Number.POSITIVE_INFINITY
      await pipeline.clock.advance('1h')
      if (pipeline.hasCrashed) await pipeline.restart()
      await pipeline.clock.advance('1h')
      expect(found.problems).toEqual([])
      expect(await pipeline.audit()).toMatchObject({ ok: true })
      expect(
        (await pipeline.deliveries('work')).filter(({ state }) => !['delivered', 'discarded', 'dead'].includes(state)),
      ).toEqual([])
    }),
    { numRuns: 150, interruptAfterTimeLimit: 60_000 },
  )
})
