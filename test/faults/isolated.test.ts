import { openPipeline, stage } from 'millrace'
import { memory } from 'millrace/stores/memory'
import { expect, onTestFinished, test, vi } from 'vitest'
import { recordingSink } from '../../src/testing/index.ts'
import { run } from './process.ts'

/** Patient enough for a busy machine. */
const patient = { timeout: 20_000, interval: 20 }
const file = new URL('../../src/plugin/isolate/functions.test-support.ts', import.meta.url).href
const isolated = (name: string, more = {}) => ({
  use: `${file}#${name}`,
  name,
  isolate: { workers: 1 },
  // Starting a thread takes seconds on a busy machine.
  timeout: '15s',
  retry: { attempts: 2, delays: ['20ms'] },
  ...more,
})
const event = (id: string, subject?: string) => ({ source: 'shop', id, type: 'order.placed', subject, data: { n: 1 } })

async function opened(...stages: ReturnType<typeof isolated>[]) {
  const sink = recordingSink()
  const pipeline = await openPipeline({
    store: memory(),
    subscriptions: { work: { stages, sink }, other: { stages: [stage('look', () => undefined)] } },
  })
  onTestFinished(() => pipeline.stop({ deadline: '1s' }))
  const dead = async (name = 'work') => (await pipeline.dead(name, { limit: 10 })).map(({ reason }) => reason)
  return { pipeline, sink, dead }
}

test('a stage that never ends holds up neither HTTP nor the others, and its delivery dies of its timeouts', async () => {
  const { pipeline, dead } = await opened(isolated('spin', { timeout: '500ms' }))
  await pipeline.publish(event('1'))
  // In the thread of the pipeline the loop would leave nobody to answer.
  for (let i = 0; i < 20; i++) {
    expect((await pipeline.handler(new Request('http://localhost/livez'))).status).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await vi.waitFor(async () => expect((await pipeline.subscription('other')).counters.delivered).toBe(1), patient)
  await vi.waitFor(
    async () => expect(await dead()).toEqual(['gave up after 2 attempts: stage spin timed out']),
    patient,
  )
})

test('an event whose stage ends its thread each time dies after its attempts; those around it are delivered', async () => {
  const { pipeline, sink, dead } = await opened(isolated('exit'))
  await pipeline.publish([event('1'), event('2', 'poison'), event('3')])
  await vi.waitFor(async () => {
    expect(await dead()).toEqual(['gave up after 2 attempts: stage exit threw: its worker thread ended: exit code 7'])
    expect(sink.received.map(({ event: { id } }) => id).sort()).toEqual(['1', '3'])
  }, patient)
  const [letter] = await pipeline.dead('work', { limit: 1 })
  expect(letter!.attempts).toHaveLength(2)
  expect((await pipeline.audit()).problems).toEqual([])
})

test('what an isolated stage answers is checked and stored as of any other stage', async () => {
  const { pipeline, sink, dead } = await opened(isolated('withClasses'), isolated('ofNoUse', { isolate: true }))
  await pipeline.publish(event('1'))
  await vi.waitFor(async () => expect((await dead())[0]).toContain('it answered outcome "perhaps"'), patient)
  expect(sink.received).toEqual([])
  const [bytes, none] = await pipeline.store.read(1, 10)
  expect(bytes).toMatchObject({ source: 'millrace:/work', id: '1/withClasses/0', data: new Uint8Array([1, 2]) })
  expect(none).toMatchObject({ id: '1/withClasses/1', type: 'none' })
  expect((await pipeline.dead('work', { limit: 1 }))[0]!.event).toMatchObject({ data: '{"price":"12.50"}' })
})

test('one that cannot be loaded stops the start with the name of the file', async () => {
  const starting = openPipeline({
    store: memory(),
    subscriptions: { work: { stages: [isolated('absent')] } },
  })
  await expect(starting).rejects.toThrow(/functions\.test-support\.ts#absent into a worker thread failed: .*missing/)
})

test('the process ends by itself after the stop, also with a thread in the middle of a call', {
  timeout: 30_000,
}, async () => {
  const child = run('./isolated-process.ts')
  await child.says('died: 1')
  expect(await child.ended).toMatchObject({ code: 0 })
})
