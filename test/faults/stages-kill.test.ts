import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, test } from 'vitest'
import { textOf } from '../repo/files.ts'
import { run, temporaryFolder } from './process.ts'

const saw = {
  first: 'first {}',
  second: 'second {"seen":["first"]}',
  third: 'third {"seen":["first","second"]}',
}
const { first, second, third } = saw

// K4 S1-06 S1-30
test('killed in the middle of a stage, the same stage runs again with the context as committed', async () => {
  expect(await effectsOfKill('second begun')).toEqual([first, second, second, third])
})

// K5 G10
test('killed when a stage has had its effect and its result is not committed, the stage runs again', async () => {
  expect(await effectsOfKill('before second is committed')).toEqual([first, second, second, third])
  expect(textOf('docs/guide/stages.md')).toContain('What a stage does to the outside world may happen twice')
})

// K6 S1-03 S1-20 S1-32
test('killed when the result of a stage is committed, earlier stages are skipped', async () => {
  expect(await effectsOfKill('after first is committed')).toEqual([first, second, third])
  expect(await effectsOfKill('after second is committed')).toEqual([first, second, third])
})

// K7 S1-74
test('killed when the last stage is done and the event not settled, only the last stage runs again', async () => {
  expect(await effectsOfKill('before settled is committed')).toEqual([first, second, third, third])
})

test('killed when the event is settled, nothing runs again', async () => {
  expect(await effectsOfKill('after settled is committed')).toEqual([first, second, third])
})

/** Kills a process at a point, starts it again, and answers what its stages did, both times together. */
async function effectsOfKill(point: string): Promise<readonly string[]> {
  const folder = temporaryFolder()
  expect(await run('./staged-process.ts', folder, point).ended).toEqual({ code: null, signal: 'SIGKILL' })
  const again = run('./staged-process.ts', folder)
  expect((await again.ended).code).toBe(0)
  expect(again.lines).toEqual(['duplicate'])

  const pipeline = createPipeline({ store: sqlite({ path: join(folder, 'events.db'), readOnly: true }) })
  await pipeline.open()
  const { deliveries } = await pipeline.explain(1, 'work')
  const stored = await pipeline.store.read(0, 100)
  const report = await pipeline.audit()
  await pipeline.stop()
  expect(deliveries).toMatchObject([{ state: 'delivered' }])
  // G9: derived with the step that was committed, so once, however often its stage ran.
  expect(stored.map(({ type }) => type)).toEqual(['order.placed', 'done.first', 'done.second', 'done.third'])
  expect(report).toMatchObject({ ok: true, subscriptions: [{ books: { delivered: 1, open: 0, dead: 0 } }] })
  return readFileSync(join(folder, 'effects'), 'utf8').trimEnd().split('\n')
}
