import { expect, test } from 'vitest'
import { checkPipeline } from '../plugin/pipeline-config.ts'
import { nodePlatform } from '../plugin/platform.ts'
import { builtInCatalogue } from '../registry.ts'
import { sse } from './sse.ts'

const settingsOf = (options: unknown) => sse.declaration.view?.(sse.declaration.options.parse(options))

test('what is left out is fifteen seconds, twenty seconds and thousands of clients', () => {
  expect(settingsOf({})).toEqual({
    heartbeatMs: 15_000,
    patienceMs: 20_000,
    connections: 10_000,
    connectionsPerToken: 1_000,
  })
})

test('every option is what a view goes by', () => {
  expect(settingsOf({ heartbeat: '5s', patience: '2s', connections: 7, connectionsPerToken: 3 })).toEqual({
    heartbeatMs: 5_000,
    patienceMs: 2_000,
    connections: 7,
    connectionsPerToken: 3,
  })
})

test('a setting about deliveries is a problem with its place and the reason', () => {
  const config = {
    store: { type: 'memory' },
    subscriptions: { feed: { retry: { attempts: 3 }, sink: { type: 'sse' } } },
  }
  const checked = checkPipeline(config, builtInCatalogue, { directory: '/', platform: nodePlatform })
  expect(checked).toMatchObject({ ok: false, issues: [{ path: ['subscriptions', 'feed', 'retry'], isAboutKey: true }] })
})
