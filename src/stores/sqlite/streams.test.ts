import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { openIn, temporaryFolder } from './fixture.ts'

// G29
test('of the index of streams, retention leaves one row of each stream', async () => {
  const folder = temporaryFolder()
  const store = await openIn(folder)
  // More than one slice of retention.
  for (let batch = 0; batch < 5; batch++) {
    const ids = Array.from({ length: 1000 }, (_, index) => batch * 1000 + index)
    const events = ids.map((id) => ({ source: 'shop', id: String(id), type: 'order.placed' }))
    await store.commit([{ events, streams: ids.map((id) => `order-${id % 7}`) }])
  }
  await store.prune({ events: 4990 })
  const { version, events } = await store.readStream('order-0', 0, 10)
  expect([version, events.map((each) => each.version)]).toEqual([715, [714, 715]])
  await store.prune({ events: 5000 })
  await store.commit([{ events: [{ source: 'shop', id: 'new', type: 'order.placed' }], streams: ['order-0'] }])
  expect((await store.readStream('order-0', 715, 10)).events).toMatchObject([{ version: 716, event: { id: 'new' } }])
  await store.close()
  const database = new DatabaseSync(join(folder, 'events.db'))
  expect(database.prepare('SELECT count(*) AS rows FROM streams').get()).toEqual({ rows: 8 })
  database.close()
})
