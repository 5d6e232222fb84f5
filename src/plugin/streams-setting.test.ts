import { expect, test } from 'vitest'
import { createCatalogue } from './catalogue.ts'
import { checkPipeline } from './pipeline-config.ts'
import { nodePlatform } from './platform.ts'
import { unopenedStore as memory } from './stub-plugins.test-support.ts'

const check = (more: object) =>
  checkPipeline({ store: { type: 'memory' }, ...more }, createCatalogue([memory]), {
    directory: '/',
    platform: nodePlatform,
  })

function issuesOf(more: object): string[] {
  const checked = check(more)
  return checked.ok ? [] : checked.issues.map(({ path, message }) => `${path?.join('.')}: ${message}`)
}

// S3-14
test('streams are patterns of types, and none when nothing is said', () => {
  const checked = check({ streams: ['account.*', 'order.placed', '*'] })
  expect(checked.ok && checked.plan.streams).toEqual(['account.*', 'order.placed', '*'])
  const without = check({})
  expect(without.ok && without.plan.streams).toEqual([])
})

test('a pattern that matches nothing, no pattern, and what is no list are told with their place', () => {
  expect(issuesOf({ streams: ['acc*'] })).toEqual([
    'streams.0: a star may stand alone (*) or be the last segment (prefix.*), nowhere else',
  ])
  expect(issuesOf({ streams: [] })).toEqual([
    'streams: a pattern is needed; leave streams out when no type belongs to one',
  ])
  expect(issuesOf({ streams: 'account.*' })).toHaveLength(1)
})

test('retention beside streams is warned of, because it takes their first events', () => {
  const checked = check({ streams: ['account.*'], retention: { age: '30d' } })
  expect(checked.ok && checked.warnings.map(({ path, message }) => `${path?.join('.')}: ${message}`)).toEqual([
    expect.stringMatching(/^retention\.age: retention removes old events, of streams too/),
  ])
  const whenPinned = check({ streams: ['account.*'], retention: { whenPinned: 'keep' } })
  expect(whenPinned.ok && whenPinned.warnings).toEqual([])
})
