import { expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import type { Source } from '../plugin/source.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, policy, until } from './engine-fixture.test-support.ts'

const openMemory = () => memory().declaration.open({}, { directory: '.', platform: nodePlatform })

/** Reads numbers from where the cursor says; may fail in the middle. */
function numbers(upTo: number, fails?: (n: number) => boolean): Source {
  return {
    async *read(cursor) {
      for (let n = Number(cursor ?? 0); n < upTo; n++) {
        if (fails?.(n)) throw new Error(`cannot read ${n}`)
        yield { events: [{ id: `n${n}`, type: 'number.read', data: n }], cursor: String(n + 1) }
      }
    },
  }
}

const withSource = async (name: string, create: () => Source) => {
  const store = await openMemory()
  const made = await engineWith([{ policy: policy('s') }], store, true, {
    sources: [{ name, isPassive: false, create }],
  })
  return { ...made, store }
}

test('a source is pulled to its end, its cursor stored with its events', async () => {
  // S0-06 S1-07 S0-66
  const { engine, store, received } = await withSource('numbers', () => numbers(50))
  await until(() => received.get('s')!.length === 50)
  expect(await store.cursor('numbers')).toBe('50')
  expect(received.get('s')![0]!.event).toMatchObject({ source: 'numbers', id: 'n0' })
  expect(engine.stats().sources['numbers']).toMatchObject({ stored: 50, duplicate: 0 })
  await engine.stop()
})

test('a source that throws starts again from its cursor and shows in health; nothing comes twice', async () => {
  // S0-80 S0-13 S1-69
  let failures = 2
  const { engine, received } = await withSource('numbers', () => numbers(10, (n) => n === 5 && failures-- > 0))
  await until(() => received.get('s')!.length === 10)
  const { loops } = await engine.health()
  expect(loops['source numbers']).toMatchObject({ lastError: 'cannot read 5', restarts: 2 })
  expect(received.get('s')!.map(({ event }) => event.id)).toEqual(Array.from({ length: 10 }, (_, n) => `n${n}`))
  await engine.stop()
})

test('the source is told after the commit; its error does not undo it; a bad event does not stop the good ones', async () => {
  // S0-14 S0-21
  const told: unknown[] = []
  const { engine, received, store } = await withSource('mixed', () => ({
    async *read() {
      yield {
        events: [
          { id: 'a', type: 'ok.event' },
          { id: '', type: 'no.id' },
          { id: 'b', type: 'ok.event' },
        ],
        settled: (results) => {
          told.push(
            results.map(({ status }) => status),
            store.head(),
          )
          throw new Error('upstream is away')
        },
      }
    },
  }))
  await until(() => received.get('s')!.length === 2)
  expect(told).toEqual([['stored', 'refused', 'stored'], 2])
  expect(engine.stats().sources['mixed']).toMatchObject({ stored: 2, refused: 1 })
  await engine.stop()
})

test('of a batch that is whole nothing is stored when one event is not valid, and the cursor stays', async () => {
  // S0-66
  const cursors: unknown[] = []
  const { engine, received, store } = await withSource('whole', () => ({
    async *read(cursor) {
      cursors.push(cursor)
      const second = { id: cursors.length === 1 ? '' : 'b', type: 'ok.event' }
      yield { events: [{ id: 'a', type: 'ok.event' }, second], cursor: 'after', isWhole: true }
    },
  }))
  await until(() => received.get('s')!.length === 2)
  const { loops } = await engine.health()
  expect(loops['source whole']).toMatchObject({ restarts: 1 })
  expect(loops['source whole']!.lastError).toMatch(/^event 1 of 2 is not valid.*id is empty/)
  expect(cursors).toEqual([undefined, undefined])
  expect(await store.cursor('whole')).toBe('after')
  expect(engine.stats().sources['whole']).toMatchObject({ stored: 2, duplicate: 0 })
  await engine.stop()
})

test('stopping cancels a source that waits and awaits its end', async () => {
  // S0-40 S0-41 S1-11
  let ended = false
  let closed = false
  const { engine } = await withSource('waiting', () => ({
    async *read(_cursor, { sleep }) {
      yield { events: [{ id: '1', type: 'a.b' }] }
      while (await sleep(60_000)) yield { events: [] }
      ended = true
    },
    close: () => {
      closed = true
    },
  }))
  await until(() => engine.stats().sources['waiting']!.stored === 1)
  await engine.stop()
  expect([ended, closed]).toEqual([true, true])
  await expect(engine.publish({ source: 'a', id: '1', type: 'a.b' })).rejects.toMatchObject({ code: 'stopping' })
})

test.each<[unknown, string]>([
  [undefined, 'no batch'],
  [{}, 'a batch without a list of events'],
  [{ events: [null] }, 'an event that is no object'],
  [{ events: [], cursor: { page: 2 } }, 'a cursor that is no text'],
])('a source that yields %j is told so, and starts again', async (batch, problem) => {
  const { engine } = await withSource('odd', () => ({
    async *read() {
      yield batch as never
    },
  }))
  await until(() => engine.stats().sources['odd']!.restarts > 0)
  expect(engine.stats().sources['odd']!.error).toBe(`it yielded ${problem}: yield { events, cursor }`)
  await engine.stop()
})
