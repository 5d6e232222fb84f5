import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AppError } from '../../core/errors.ts'
import { noCounters } from '../../core/ledger-state.ts'
import { memory } from '../../stores/memory.ts'
import { sqlite } from '../../stores/sqlite.ts'
import { testPipeline } from '../../testing/kit/test-pipeline.ts'
import { sums, world } from './world.test-support.ts'

const stores = {
  memory: () => memory(),
  sqlite() {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-rebuild-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    return sqlite({ path: join(folder, 'events.db') })
  },
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 40 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 120 }) }) },
  { weight: 3, arbitrary: fc.constantFrom({ kind: 'rebuild' as const }, { kind: 'cancel' as const }) },
  { weight: 2, arbitrary: fc.constantFrom({ kind: 'crash' as const }, { kind: 'restart' as const }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'disk full' as const }, { kind: 'i/o error' as const }) },
)

// S3-14, G9, K5
describe.each(['memory', 'sqlite'] as const)('over crashes, on the %s store', (kind) => {
  test('every event counts once, whatever is rebuilt meanwhile, and what is read never goes back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const projected = sums(1, { key: ({ data }) => `k${data.amount % 3}` })
        await using pipeline = await testPipeline({ store: stores[kind](), subscriptions: { sums: projected } })
        let published = 0
        let seen = 0
        /** A store that fails is tried again after a while, which has to pass. */
        const patiently = async <T>(task: Promise<T>): Promise<T> => {
          let isOver = false
          const over = task.finally(() => {
            isOver = true
          })
          over.catch(() => undefined)
          while (!isOver) await pipeline.clock.advance('10ms')
          return over
        }
        const look = async () => {
          const entries = await patiently(Array.fromAsync(projected.of(pipeline).entries()))
          const count = entries.reduce((sum, { value }) => sum + value.count, 0)
          expect(count).toBeGreaterThanOrEqual(seen)
          seen = count
        }
        for (const one of steps) {
          if (one.kind === 'publish') {
            const events = Array.from({ length: one.count }, () => {
              published += 1
              return { source: 's', id: String(published), type: 'paid', subject: 'a', data: { amount: published } }
            })
            while (true) {
              const answers = await patiently(pipeline.publish(events)).catch(() => undefined)
              if (answers !== undefined) break
              await pipeline.clock.advance('1s')
            }
          } else if (one.kind === 'wait') await pipeline.clock.advance(`${one.ms}ms`)
          else if (one.kind === 'rebuild') await patiently(pipeline.rebuild('sums')).catch(onlyConflict)
          else if (one.kind === 'cancel') {
            await patiently(pipeline.controlRebuild('sums', 'cancel')).catch(onlyConflict)
          } else if (one.kind === 'crash' || one.kind === 'restart') {
            if (one.kind === 'crash') pipeline.crash()
            await patiently(pipeline.restart())
          } else pipeline.failStore(one.kind)
          if (one.kind !== 'disk full' && one.kind !== 'i/o error') await look()
        }
        await pipeline.clock.advance('1m')
        expect(pipeline.rebuildStatus('sums')?.state ?? 'done').toMatch(/^(done|cancelled)$/)
        const entries = await patiently(Array.fromAsync(projected.of(pipeline).entries()))
        expect(entries.reduce((sum, { value }) => sum + value.count, 0)).toBe(published)
        expect(entries.reduce((sum, { value }) => sum + value.sum, 0)).toBe((published * (published + 1)) / 2)
        const audit = await patiently(pipeline.audit())
        expect([audit.ok, audit.subscriptions.map(({ name }) => name)]).toEqual([true, ['sums']])
      }),
      { numRuns: kind === 'memory' ? 150 : 50 },
    )
  }, 120_000)
})

function onlyConflict(error: unknown): void {
  if (!(error instanceof AppError) || error.code !== 'state-conflict') throw error
}

// K5, G11
test('after a crash a window full of suspects is worked off one by one, and it goes on behind them', async () => {
  const { start, append, platform, store } = await world(0)
  await append(Array.from({ length: 6000 }, () => 1))
  const pending = Array.from({ length: 1024 }, (_, n) => n + 1)
  const counters = { ...noCounters, matched: pending.length }
  const examined = { start: 0, examined: pending.length, follows: false, state: 'running', counters } as const
  for (const [name, state] of [
    ['*', { ...examined, counters: noCounters, pending: [] }],
    ['sums', { ...examined, pending, foldVersion: '1 of paid' }],
  ] as const) {
    const { epoch } = await store.openLedger(name, 0, 'a process that was killed', state)
    await store.mark(name, 0, epoch, { upTo: 4000 })
  }
  const projected = sums()
  const pipeline = await start(projected)
  await platform.advance(5000)
  expect(await projected.of(pipeline).get('a')).toEqual({ sum: 6000, count: 6000 })
})

// G9, K5
test('a write that failed is made again also when another ledger of it looks as it is stored', async () => {
  const projected = sums()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { sums: projected } })
  await pipeline.publish({ source: 's', id: '1', type: 'paid', subject: 'a', data: { amount: 1 } })
  await pipeline.rebuild('sums')
  while (pipeline.rebuildStatus('sums')?.state !== 'done') await pipeline.clock.advance('1ms')
  pipeline.failStore('disk full')
  await pipeline.rebuild('sums')
  await pipeline.clock.advance('5s')
  expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'done', delivered: 1 })
  expect(await projected.of(pipeline).get('a')).toEqual({ sum: 1, count: 1 })
})

// S3-14, G9
describe('a switch whose store fails', () => {
  test.each([
    ['before it was done', false],
    ['after it was done, without an answer', true],
  ])('%s is tried again until it is known to be done', async (_, isDone) => {
    const { start, append, platform, store, ledgers } = await world()
    await append([1, 2, 3])
    const projected = sums()
    const pipeline = await start(projected)
    await platform.advance(200)
    const replace = store.replaceLedger.bind(store)
    let failures = 2
    store.replaceLedger = async (...given) => {
      if (failures-- <= 0) return replace(...given)
      if (isDone && failures === 0) await replace(...given)
      throw new AppError('store-indeterminate', 'the disk has an error')
    }
    await pipeline.rebuild('sums')
    await platform.advance(300)
    expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'switching' })
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 6, count: 3 })
    await append([4])
    await platform.advance(3000)
    expect(pipeline.rebuildStatus('sums')).toMatchObject({ state: 'done' })
    expect(await projected.of(pipeline).get('a')).toEqual({ sum: 10, count: 4 })
    expect(await ledgers()).toEqual(['*', 'sums'])
    expect((await pipeline.audit()).ok).toBe(true)
  })

  test('and that is stopped meanwhile is whole again after the next start', async () => {
    const { start, stop, append, platform, store } = await world()
    await append([1, 2, 3])
    const first = await start(sums(1))
    await platform.advance(200)
    await stop(first)
    const replace = store.replaceLedger
    store.replaceLedger = async () => {
      throw new AppError('store-full', 'the disk is full')
    }
    const second = await start(sums(2))
    await platform.advance(500)
    expect(second.rebuildStatus('sums')).toMatchObject({ state: 'switching' })
    await stop(second)
    store.replaceLedger = replace
    const projected = sums(2)
    const third = await start(projected)
    await platform.advance(500)
    expect(await projected.of(third).get('a')).toEqual({ sum: 12, count: 3 })
    expect((await third.audit()).ok).toBe(true)
  })
})
