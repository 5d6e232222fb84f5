import { join } from 'node:path'
import { createPipeline, defineSink, openPipeline } from 'millrace'
import { schema } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, test } from 'vitest'
import { run, temporaryFolder } from './process.ts'

test('a second process is told which file is taken and what to do, may read it, and opens at once after kill -9 of the first', async () => {
  // S1-39 G21 K17
  const path = join(temporaryFolder(), 'events.db')
  const first = run('./owner-process.ts', path)
  await first.says('open')

  const refused = await openPipeline({ store: sqlite({ path }) }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'store-locked' })
  expect(String(refused)).toContain(path)
  expect(String(refused)).toMatch(/[Ss]top .*process/)

  const reader = createPipeline({ store: sqlite({ path, readOnly: true }) })
  await reader.open()
  expect(reader.store.head()).toBe(1)
  await expect(reader.publish({ source: 'shop', id: '2', type: 'order.placed' })).rejects.toMatchObject({
    code: 'store-readonly',
  })
  await reader.stop()
  // Neither of them has taken anything from the owner.
  expect(first.child.exitCode).toBe(null)

  await first.end('SIGKILL')
  await using second = await openPipeline({ store: sqlite({ path }) })
  expect(await second.publish({ source: 'shop', id: '1', type: 'order.placed' })).toMatchObject({
    status: 'duplicate',
    sequence: 1,
  })
  expect(await second.publish({ source: 'shop', id: '2', type: 'order.placed' })).toMatchObject({ sequence: 2 })
})

test('a start that fails gives the store back', async () => {
  const path = join(temporaryFolder(), 'events.db')
  const unwilling = defineSink({
    name: 'unwilling',
    summary: 'Does not open.',
    delivers: 'Never.',
    options: schema.strictObject({}).optional(),
    example: {},
    create: () => ({
      open: () => Promise.reject(new Error('no such host')),
      deliver: () => undefined,
    }),
  })
  const store = sqlite({ path })
  await expect(openPipeline({ store, subscriptions: { work: { sink: unwilling() } } })).rejects.toThrow('no such host')
  await using pipeline = await openPipeline({ store })
  expect((await pipeline.health()).ready).toBe(true)
})
