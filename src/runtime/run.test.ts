import { describe, expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, event, events, policy, type Spec, until } from './engine-fixture.test-support.ts'

const openMemory = () => memory().declaration.open({}, { directory: '.', platform: nodePlatform })

async function opened(specs: readonly Spec[] = [{ policy: policy('all') }], store?: Store) {
  return engineWith(specs, store ?? (await openMemory()), false)
}

describe('run', () => {
  // S1-43 S1-44
  test('runs until the pipeline is stopped and answers with what was counted, as a table too', async () => {
    const { engine, received } = await opened()
    const run = engine.run()
    await until(() => engine.stats().sources !== undefined)
    await engine.publish(events(3))
    await engine.idle()
    let hasEnded = false
    void run.then(() => {
      hasEnded = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(hasEnded).toBe(false)
    await engine.stop()
    const stats = await run
    expect(received.get('all')!.length).toBe(3)
    expect(stats.subscriptions['all']!.counters.delivered).toBe(3)
    expect(String(stats)).toMatch(/3 stored.*\nall +running/s)
  })

  // S1-11 S1-43
  test('stops at the abort of its signal once what is under way has finished, and resolves', async () => {
    const gate = Promise.withResolvers<void>()
    const stopping = new AbortController()
    const { engine, received } = await opened([
      { policy: policy('all'), answer: () => gate.promise.then(() => undefined) },
    ])
    const run = engine.run({ signal: stopping.signal })
    await engine.start()
    await engine.publish(event(1))
    await until(() => received.get('all')!.length === 1)
    stopping.abort()
    gate.resolve()
    const stats = await run
    expect(stats.subscriptions['all']!.counters.delivered).toBe(1)
    await expect(engine.publish(event(2))).rejects.toMatchObject({ code: 'stopping' })
  })

  // S1-11
  test('delivers nothing for a signal that was aborted before', async () => {
    const store = await openMemory()
    await store.commit([{ events: [] }])
    const { engine, received } = await opened([{ policy: policy('all', { start: { kind: 'beginning' } }) }], store)
    await engine.publish(event(1))
    const stats = await engine.run({ signal: AbortSignal.abort() })
    expect([stats.head, received.get('all')!.length]).toEqual([1, 0])
  })

  // S1-43
  test('rejects when it cannot start, and has let the store go', async () => {
    const store = await openMemory()
    const { engine } = await opened([], {
      ...store,
      mark: () => Promise.reject(new Error('the disk is gone')),
    })
    await expect(engine.run()).rejects.toThrow('the disk is gone')
    await expect(store.read(0, 1)).rejects.toMatchObject({ code: 'store-closed' })
  })

  // S1-43
  test('rejects when another process has taken its ledgers, and is stopped', async () => {
    const store = await openMemory()
    const { engine } = await opened([{ policy: policy('all') }], store)
    const run = engine.run()
    const rejected = expect(run).rejects.toMatchObject({ code: 'state-conflict' })
    await engine.start()
    const ledgers = await store.ledgers()
    await store.openLedgers(
      ledgers.map(({ subscription, partition, ...initial }) => ({ subscription, partition, initial })),
      'another process',
    )
    await engine.publish(event(1))
    await rejected
    await expect(engine.publish(event(2))).rejects.toMatchObject({ code: 'stopping' })
  })

  test('runs once: after a stop there is nothing to run, or to open', async () => {
    const { engine } = await opened()
    await engine.stop()
    await expect(engine.run()).rejects.toMatchObject({ code: 'stopping' })
    await expect(engine.start()).rejects.toMatchObject({ code: 'stopping' })
  })

  test('installs nothing in the process, and leaves nothing with the signal', async () => {
    const handlers = () => process.eventNames().map((name) => [name, process.listenerCount(name)])
    const before = handlers()
    const stopping = new AbortController()
    let listeners = 0
    const { addEventListener, removeEventListener } = stopping.signal
    stopping.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners += 1
      addEventListener.apply(stopping.signal, args)
    }
    stopping.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners -= 1
      removeEventListener.apply(stopping.signal, args)
    }
    const { engine } = await opened()
    const run = engine.run({ signal: stopping.signal })
    await engine.start()
    expect(handlers()).toEqual(before)
    await engine.stop()
    await run
    expect(listeners).toBe(0)
  })
})
