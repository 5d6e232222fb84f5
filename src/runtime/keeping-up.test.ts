import { expect, test } from 'vitest'
import type { EventInput } from '../core/event.ts'
import { memory } from '../stores/memory.ts'
import { recordingLog } from '../testing/plugin-context.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { Dispatch, type Reader } from './dispatch.ts'
import { engineWith, event, policy } from './engine-fixture.test-support.ts'
import { Ingest } from './ingest.ts'

const events = (count: number): EventInput[] =>
  Array.from({ length: count }, (_, index) => ({ source: 'shop', id: `${index}`, type: 'order.placed', data: index }))

/** A store that counts how often its log is read, and a platform that counts the turns of its loop. */
async function counted() {
  const virtual = createVirtualPlatform()
  const counts = { reads: 0, turns: 0 }
  const platform = {
    ...virtual,
    soon: (task: () => void): void => {
      counts.turns += 1
      virtual.soon(task)
    },
  }
  const store = await memory().declaration.open({}, { directory: '.', platform: virtual })
  const read = store.read.bind(store)
  store.read = (after, limit) => {
    counts.reads += 1
    return read(after, limit)
  }
  return { counts, platform, store, settle: () => virtual.settle() }
}

test('a large batch waits a turn between its pieces, and some turns while dispatch is behind', async () => {
  const { counts, platform, store } = await counted()
  const turnsWith = async (isBehind: () => boolean, count: number): Promise<number> => {
    const before = counts.turns
    const dispatch = {
      get isBehind() {
        return isBehind()
      },
      wake: () => undefined,
    }
    await new Ingest(store, {}, platform, dispatch).publishMany(events(count))
    return counts.turns - before
  }
  expect(await turnsWith(() => true, 250)).toBe(0)
  expect(await turnsWith(() => false, 750)).toBe(2)
  expect(await turnsWith(() => true, 750)).toBe(32)
  let asked = 0
  expect(await turnsWith(() => ++asked < 3, 251)).toBe(3)
})

test('dispatch is behind once what it has not examined is more than a moment’s work, and only with somebody to read for', async () => {
  const { counts, platform, store, settle } = await counted()
  const dispatch = new Dispatch(store, platform, recordingLog(), 0, () => undefined)
  dispatch.start()
  const ingest = new Ingest(store, {}, platform, dispatch)
  await ingest.publishMany(events(5000))
  await settle()
  expect(dispatch.frontier).toBe(5000)
  expect(counts.reads).toBe(0)

  const seen: number[] = []
  const reader: Reader = {
    name: 'reader',
    policy: { match: ['*'], from: undefined },
    position: 5000,
    travel: () => ({ position: 5000, isFront: false }),
    accept: (event) => seen.push(event.sequence!) > 0,
    room: () => 1000,
    pump: () => undefined,
    touch: () => undefined,
  }
  dispatch.join(reader)
  const more = events(10_000).slice(5000)
  const commit = store.commit.bind(store)
  await commit([{ events: more.map(({ source, id, type }) => ({ source, id, type, data: '0' })) }])
  expect(dispatch.isBehind).toBe(true)
  dispatch.wake()
  await settle()
  expect(dispatch.isBehind).toBe(false)
  expect(seen).toEqual(Array.from({ length: 5000 }, (_, index) => 5001 + index))

  dispatch.leave(reader)
  const read = counts.reads
  await commit([{ events: [{ source: 'shop', id: 'last', type: 'order.placed' }] }])
  dispatch.wake()
  await settle()
  expect(dispatch.frontier).toBe(10_001)
  expect(counts.reads).toBe(read)
})

test('idle does not wait for the timer of the settler', async () => {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  const { engine, received } = await engineWith([{ policy: policy('crm') }], store, true, { platform })
  await engine.publish(event(1))
  let isIdle = false
  void engine.idle().then(() => (isIdle = true))
  // No time passes.
  await platform.settle()
  expect(isIdle).toBe(true)
  expect(received.get('crm')).toHaveLength(1)
})
