import { expect, test } from 'vitest'
import { formatIssue } from '../core/issues.ts'
import { createCatalogue } from './catalogue.ts'
import { defineSink } from './define.ts'
import { checkPipeline, hasLedger } from './pipeline-config.ts'
import { nodePlatform } from './platform.ts'
import { schema } from './schema.ts'
import { unopenedStore } from './stub-plugins.test-support.ts'

const watch = defineSink({
  name: 'watch',
  summary: 'Is looked at.',
  delivers: '',
  options: schema.strictObject({}),
  example: {},
  served: 'view',
  create: () => ({ deliver: () => undefined }),
})
const catalogue = createCatalogue([unopenedStore, watch])

function checked(subscription: unknown) {
  const config = { store: unopenedStore(), subscriptions: { a: subscription } }
  return checkPipeline(config, catalogue, { directory: '/', platform: nodePlatform })
}
const problemsOf = (subscription: unknown): string[] => {
  const result = checked(subscription)
  return result.ok ? [] : result.issues.map(formatIssue)
}

test('a view chooses events and how they are shown', () => {
  const result = checked({
    from: ['shop'],
    match: ['order.*'],
    where: 'data.total > 1',
    coalesce: { window: '1s' },
    payload: 'summary',
    sink: { type: 'watch' },
  })
  expect(result.ok && hasLedger(result.plan.subscriptions[0]!)).toBe(false)
  const lane = checked({ match: ['order.*'] })
  expect(lane.ok && hasLedger(lane.plan.subscriptions[0]!)).toBe(true)
})

test.each([
  ['guarantee', 'at-least-once'],
  ['ordering', 'key'],
  ['onFailure', 'halt'],
  ['concurrency', 4],
  ['retry', { attempts: 3 }],
  ['dead', { keep: '1d' }],
  ['timeout', '5s'],
  ['rate', '100/s'],
  ['ttl', { default: '1h' }],
  ['start', 'beginning'],
  ['paused', true],
  ['window', 10],
  ['maxOpen', 10],
  ['stages', []],
])('%s is no setting of a view, and the problem says why', (name, value) => {
  const problems = problemsOf({ sink: { type: 'watch' }, [name]: value })
  expect(problems).toHaveLength(1)
  expect(problems[0]).toContain(`subscriptions.a.${name}`)
  expect(problems[0]).toContain('the sink watch is a view of the log')
  expect(problems[0]).toContain(`leave ${name} out`)
})

test('coalescing in a view has a window and no longest wait', () => {
  const problems = problemsOf({ sink: { type: 'watch' }, coalesce: { window: '1s', maxWait: '5s' } })
  expect(problems).toEqual([expect.stringMatching(/^subscriptions\.a\.coalesce\.maxWait: .*leave maxWait out/)])
})

test('a misspelt setting of a view is reported once, as such', () => {
  const problems = problemsOf({ sink: { type: 'watch' }, concurency: 4 })
  expect(problems).toHaveLength(1)
  expect(problems[0]).toContain('there is no such setting')
})
