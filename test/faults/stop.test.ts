import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPipeline, defineSink, openPipeline } from 'millrace'
import { schema } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, test } from 'vitest'
import { run, temporaryFolder, until } from './process.ts'

test('SIGTERM under load: attempts are finished and recorded, nothing acknowledged is lost, nothing comes twice', async () => {
  // K17 G32 S0-41 G2
  const folder = temporaryFolder()
  const loaded = run('./stop-process.ts', folder, 'load')
  await loaded.says('under load')
  expect(await loaded.end('SIGTERM')).toEqual({ code: 0, signal: null })
  expect(loaded.lines).toContain('stopped')
  expect(loaded.lines).toContain('refused stopping')

  const attempts = (what: string): string[] =>
    readFileSync(join(folder, 'attempts'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${what} `))
      .map((line) => line.slice(what.length + 1))
      .sort()
  expect(attempts('begin').length).toBeGreaterThan(0)
  expect(attempts('end')).toEqual(attempts('begin'))

  const store = sqlite({ path: join(folder, 'events.db'), readOnly: true })
  const stopped = createPipeline({ store })
  await stopped.open()
  const stored = (await stopped.store.read(0, 100_000)).map(({ id }) => id).sort()
  const [left] = (await stopped.audit()).subscriptions
  await stopped.stop()
  const acked = loaded.lines.filter((line) => line.startsWith('acked ')).map((line) => line.slice('acked '.length))
  expect(stored).toEqual(expect.arrayContaining(acked))
  // What was attempted is in the books: the next start has nothing of it to do again.
  expect(left!.books['delivered']).toBe(attempts('end').length)

  expect(await run('./stop-process.ts', folder, 'drain').ended).toEqual({ code: 0, signal: null })
  expect(attempts('end')).toEqual(stored)
})

const hanging = defineSink({
  name: 'hanging',
  summary: 'Never answers, and may not close either.',
  delivers: 'Never.',
  options: schema.strictObject({
    onCall: schema.custom<(signal: AbortSignal) => void>(),
    closes: schema.boolean().default(true),
  }),
  example: {},
  create: ({ onCall, closes }) => ({
    deliver: async (_, { signal }) => {
      onCall(signal)
      await new Promise(() => undefined)
    },
    close: () => (closes ? undefined : new Promise(() => undefined)),
  }),
})

// G32 S0-41
test.each([
  ['a sink that does not answer', true],
  ['a sink that neither answers nor closes', false],
])('%s does not hold back the stop beyond its deadline, and its event comes again', async (_, closes) => {
  const store = sqlite({ path: join(temporaryFolder(), 'events.db') })
  const signals: AbortSignal[] = []
  const config = (isGood: boolean) => ({
    store,
    subscriptions: {
      work: { sink: hanging({ closes: closes || isGood, onCall: (signal) => signals.push(signal) }) },
    },
  })
  const pipeline = await openPipeline(config(false), { log: silent })
  await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed' })
  await until(() => signals.length === 1)
  // A stop that is not understood changes nothing.
  await expect(pipeline.stop({ deadline: 'soon' })).rejects.toMatchObject({ code: 'usage' })
  const began = performance.now()
  await pipeline.stop({ deadline: '100ms' })
  expect(performance.now() - began).toBeLessThan(5000)
  expect(signals[0]!.aborted).toBe(true)
  await expect(pipeline.publish({ source: 'shop', id: '2', type: 'order.placed' })).rejects.toMatchObject({
    code: 'stopping',
  })

  const again = await openPipeline(config(true))
  await until(() => signals.length === 2)
  await again.stop({ deadline: '1ms' })
})

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
