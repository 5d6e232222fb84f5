import { expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import { memory } from '../stores/memory.ts'
import { policy } from './engine-fixture.test-support.ts'
import { Views } from './views.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }
const specOf = (name: string) => ({
  policy: policy(name),
  sinkName: 'sse',
  settings: { heartbeatMs: 1e4, patienceMs: 1e4, connections: 10, connectionsPerToken: 10 },
})

test('views come and go while the pipeline runs, and the clients of one that goes are ended', async () => {
  const store = await memory().declaration.open({} as never, { directory: '.', platform: nodePlatform })
  const views = new Views([specOf('a')], store, nodePlatform, log)
  views.add(specOf('b'))
  expect(views.names).toEqual(['a', 'b'])
  expect(views.statuses().map(({ name, state, sink }) => [name, state, sink])).toEqual([
    ['a', 'running', 'sse'],
    ['b', 'running', 'sse'],
  ])
  const ended: string[] = []
  for (const name of ['a', 'b'])
    views
      .get(name)!
      .enter({})
      .open({ write: () => true, end: () => ended.push(name), cut: () => undefined })
  views.remove('b')
  views.remove('nobody')
  expect(ended).toEqual(['b'])
  expect(views.names).toEqual(['a'])
  views.close()
  expect(ended).toEqual(['b', 'a'])
  await store.close()
})

test('a view that cannot read the log is named', async () => {
  const store = await memory().declaration.open({} as never, { directory: '.', platform: nodePlatform })
  const broken = { ...store, read: () => Promise.reject(new Error('torn')) }
  const views = new Views([specOf('a')], broken, nodePlatform, log)
  await store.commit([{ events: [{ source: 'shop', id: '1', type: 'x' }] }])
  views
    .get('a')!
    .enter({ after: '0' })
    .open({ write: () => true, end: () => undefined, cut: () => undefined })
  await new Promise((resolve) => setImmediate(resolve))
  expect(views.failing).toEqual([{ name: 'a', error: 'torn' }])
  views.close()
  await store.close()
})
