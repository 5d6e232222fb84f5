import { describe, expect, test } from 'vitest'
import { Event } from '../core/event.ts'
import { createCatalogue } from './catalogue.ts'
import { defineSink, defineStore } from './define.ts'
import { checkPipeline } from './pipeline-config.ts'
import { nodePlatform } from './platform.ts'
import { schema } from './schema.ts'
import type { Store } from './store.ts'

const store = defineStore({
  name: 'none',
  summary: 'Holds nothing.',
  options: schema.strictObject({}),
  example: {},
  open: async () => ({}) as Store,
})
const sink = defineSink({
  name: 'void',
  summary: 'Takes everything.',
  delivers: 'Nothing.',
  options: schema.strictObject({}),
  example: {},
  defaults: { breaker: { failures: 5, openMs: 1000, disableAfterMs: 5000 } },
  create: () => ({ deliver: () => undefined }),
})

function checked(settings: object) {
  const config = { store: store(), subscriptions: { s: { sink: sink(), ...settings } } }
  return checkPipeline(config, createCatalogue([]), { directory: '.', platform: nodePlatform })
}

function policyOf(settings: object) {
  const result = checked(settings)
  if (!result.ok) throw new Error(JSON.stringify(result.issues))
  return result.plan.subscriptions[0]!.policy
}

function issuesOf(settings: object): string[] {
  const result = checked(settings)
  return result.ok ? [] : result.issues.map(({ path, message }) => `${path.slice(2).join('.')}: ${message}`)
}

const event = (data: unknown) =>
  new Event({ sequence: 1, appendedAt: 0, source: 's', id: '1', type: 'a.b', data: JSON.stringify(data) })

describe('where', () => {
  test('an event passes only when the expression is true; one that cannot be evaluated does not', () => {
    const where = policyOf({ where: 'data.total > 100' }).where!
    expect([{ total: 120 }, { total: 1 }, {}, { total: 'x' }].map((data) => where.test(event(data)))).toEqual([
      true,
      false,
      false,
      false,
    ])
    expect(where.explain(event({ total: 1 }))).toBe('it was false')
    expect(where.explain(event({}))).toMatch(/No such key: total/)
    expect(policyOf({ where: 'data.total' }).where!.explain(event({ total: 7 }))).toBe('it was neither true nor false')
  })

  test('a wrong one is found at load', () => {
    expect(issuesOf({ where: 'datta.total > 100' })).toEqual([
      'where: not a valid expression at character 1: Unknown variable: datta; there are: event, data, meta',
    ])
  })
})

test('coalesce has a longest wait of ten windows unless told otherwise, and an ordering beside it is refused', () => {
  expect(policyOf({ coalesce: { window: '2s' } }).coalesce).toEqual({ windowMs: 2000, maxWaitMs: 20_000 })
  expect(policyOf({ coalesce: { window: '2s', maxWait: '30s' } }).coalesce?.maxWaitMs).toBe(30_000)
  expect(issuesOf({ coalesce: { window: '2s' }, ordering: 'key' })[0]).toMatch(/^coalesce: with ordering key/)
  expect(issuesOf({ coalesce: { window: 2 } })[0]).toMatch(/^coalesce.window: 2 has no unit/)
})

// S0-72
test('a time to live has a default and one by pattern', () => {
  const { ttl } = policyOf({ ttl: { default: '1h', types: { 'security.*': '30d' } } })
  expect(ttl).toEqual({ defaultMs: 3_600_000, types: new Map([['security.*', 2_592_000_000]]) })
  expect(policyOf({}).ttl).toBeUndefined()
  expect(issuesOf({ ttl: { types: { 'a..b': '1h' } } })[0]).toMatch(/^ttl.types/)
})

// S0-79, S2-32
test('a payload is full, summary or a template', () => {
  expect(policyOf({ payload: 'full' }).payload).toBeUndefined()
  expect(policyOf({ payload: 'summary' }).payload).toEqual({ kind: 'summary' })
  expect(policyOf({ payload: { text: '#root.id' } }).payload).toEqual({
    kind: 'template',
    template: { text: '#root.id' },
  })
  expect(policyOf({ payload: 'Order #root.id' }).payload).toMatchObject({ kind: 'template' })
  expect(issuesOf({ payload: 'sumary' })).toEqual([
    'payload: full, summary or a template is needed; a template names #root or $root',
  ])
})

test('the breaker is the sink’s unless written, part by part', () => {
  expect(policyOf({}).breaker).toEqual({ failures: 5, openMs: 1000, disableAfterMs: 5000 })
  expect(policyOf({ breaker: { failures: 2 } }).breaker).toEqual({ failures: 2, openMs: 1000, disableAfterMs: 5000 })
  expect(policyOf({ breaker: { open: '1m', disableAfter: 'never' } }).breaker).toEqual({
    failures: 5,
    openMs: 60_000,
    disableAfterMs: undefined,
  })
  expect(policyOf({ breaker: { failures: 'unlimited' } }).breaker).toBeUndefined()
  expect(issuesOf({ breaker: { failures: 0 } })[0]).toMatch(/at least 1/)
})

test('a rate is a count in a time', () => {
  expect(policyOf({ rate: '30/m' }).rate).toMatchObject({ perSecond: 0.5 })
  expect(issuesOf({ rate: '30' })[0]).toMatch(/^rate: "30" has no unit/)
})

test('fairBy is refused where clients fetch, and beside what keeps an order', () => {
  const fetched = defineSink({ ...sink.declaration, name: 'fetched', served: 'batches', defaults: {} })
  expect(issuesOf({ sink: fetched(), fairBy: 'subject' })).toEqual([
    'fairBy: clients of the sink fetched fetch in the order of the log, and no group can take turns there: leave fairBy out, or give each group a subscription of its own',
  ])
  expect(issuesOf({ ordering: 'key', fairBy: 'subject' })).toEqual([
    expect.stringMatching(/^fairBy: groups that take turns overtake/),
  ])
  expect(issuesOf({ fairBy: 'subject' })).toEqual([])
})

test('orderBy is an expression or, in code, a function; an event for which it says nothing waits for no other', () => {
  const byText = policyOf({ ordering: 'key', orderBy: 'data.account' }).orderBy!
  expect(byText.keyOf(event({ account: 'x' }))).toBe('x')
  expect(byText.keyOf(event({ account: 7 }))).toBe('7')
  for (const data of [{}, { account: null }, null]) expect(byText.keyOf(event(data))).toBeUndefined()
  const byFunction = policyOf({ ordering: 'key', orderBy: ({ data }: Event) => (data as { a: string }).a.trim() })
    .orderBy!
  expect(byFunction.keyOf(event({ a: ' x ' }))).toBe('x')
  for (const data of [{}, null]) expect(byFunction.keyOf(event(data))).toBeUndefined()
  expect(issuesOf({ ordering: 'key', orderBy: 'data.' })[0]).toMatch(/^orderBy: /)
  expect(issuesOf({ ordering: 'key', orderBy: 7 })[0]).toMatch(/^orderBy: a CEL expression/)
  expect(issuesOf({ orderBy: 'data.account' })[0]).toMatch(/write ordering: key beside it/)
})

// G8
test('a key or group with half of a surrogate pair is the one that stores write of it', () => {
  const half = { source: 's', id: '1', type: 'a', sequence: 1, appendedAt: 0, data: '{"k":"a\\ud800"}' }
  const event = new Event(half)
  expect(policyOf({ ordering: 'key', orderBy: 'data.k' }).orderBy!.keyOf(event)).toBe('a\ufffd')
  expect(policyOf({ fairBy: 'data.k' }).fairBy!.groupOf(event)).toBe('a\ufffd')
})
