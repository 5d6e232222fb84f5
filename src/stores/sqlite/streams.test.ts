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

// G5
test('verify reads the index of streams, and says which version is missing, out of order or of another event', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'events.db')
  const store = await openIn(folder)
  const ids = Array.from({ length: 30 }, (_, index) => index)
  const subjectOf = (id: number) => `order-${id % 3}`
  await store.commit([
    {
      events: ids.map((id) => ({ source: 'shop', id: String(id), type: 'order.placed', subject: subjectOf(id) })),
      streams: ids.map(subjectOf),
    },
  ])
  await store.prune({ events: 5 })
  await store.close()
  const problemsAfter = async (damage: string) => {
    const database = new DatabaseSync(path)
    database.exec(damage)
    database.close()
    const damaged = await openIn(folder)
    const { problems } = await damaged.verify()
    await damaged.close()
    return problems
  }
  expect(await problemsAfter('SELECT 1')).toEqual([])
  expect(await problemsAfter("DELETE FROM streams WHERE stream = 'order-1' AND version IN (4, 5)")).toEqual([
    'versions 4 to 5 of the stream order-1 are missing',
  ])
  const wrong = "INSERT INTO streams VALUES ('order-1', 4, 12), ('order-1', 5, 11), ('order-1', 11, 99)"
  expect(await problemsAfter(wrong)).toEqual([
    'version 4 of the stream order-1 is event 12, which is about order-2',
    'version 5 of the stream order-1 is event 11, which is not after the version before',
    'version 11 of the stream order-1 is event 99, which is missing',
  ])
})
