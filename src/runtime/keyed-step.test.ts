import { expect, test } from 'vitest'
import { Event } from '../core/event.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { Stage } from '../plugin/stage.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { Calls } from './calls.ts'
import { Flight } from './flight.ts'
import { KeptValues } from './kept-values.ts'
import { keepOf, runKeyed } from './keyed-step.ts'
import type { LaneSetup } from './lane-setup.ts'
import type { RunningStage } from './stage-run.ts'

const platform = createVirtualPlatform()
const log = { debug() {}, info() {}, warn() {}, error() {} }
const context: PluginContext = { name: 'work', log, clock: platform.clock, signal: new AbortController().signal }
const event = new Event({ sequence: 1, appendedAt: 0, source: 's', id: '1', type: 'a.b', data: undefined, meta: '{}' })

test('when what is kept cannot be read, the attempt fails, and the key stays with who has it then', async () => {
  let failures = 1
  const kept = new KeptValues('count', {
    subscription: 'work',
    ledger: { keep: () => undefined },
    store: { kept: async () => (failures-- > 0 ? Promise.reject(new Error('cannot be read')) : []) },
    flush: async () => undefined,
    onDue: () => undefined,
  })
  const ran: string[] = []
  const counting: Stage = {
    keyOf: () => 'k',
    process: ({ event: { id } }) => void ran.push(id),
  }
  const calls = new Calls(platform, 1000)
  const stage = { name: 'count', stage: counting, calls, kept } as unknown as RunningStage
  const run = (flight: Flight) => runKeyed(stage, flight, calls.begin(), { context } as unknown as LaneSetup)

  const first = new Flight(event, undefined, 'pending')
  const failed = await run(first)
  expect(failed).toMatchObject({ hasThrown: true, outcome: { outcome: 'retry' } })
  expect(failed.outcome.reason).toContain('cannot be read')

  // Somebody has the key, and somebody else waits for it, when the failed attempt is put away.
  await kept.acquire('k')
  const waiting = run(new Flight(event, undefined, 'pending'))
  keepOf(stage, first, failed)
  await platform.settle()
  expect(ran).toEqual([])
  kept.release('k')
  expect(await waiting).toMatchObject({ outcome: { outcome: 'ack' } })
  expect(ran).toEqual(['1'])
})

test('the time of a call begins when it has its key', async () => {
  const kept = new KeptValues('count', {
    subscription: 'work',
    ledger: { keep: () => undefined },
    store: { kept: async () => [] },
    flush: async () => undefined,
    onDue: () => undefined,
  })
  const end = Promise.withResolvers<void>()
  const slow: Stage = { keyOf: () => 'k', process: () => end.promise }
  const calls = new Calls(platform, 1000)
  const stage = { name: 'count', stage: slow, calls, kept } as unknown as RunningStage
  await kept.acquire('k')
  const call = calls.begin()
  let abandoned = 0
  const result = runKeyed(stage, new Flight(event, undefined, 'pending'), call, { context } as unknown as LaneSetup)
  calls.watch(call, () => {
    abandoned += 1
  })
  await platform.advance(5000)
  expect(call.hasTimedOut).toBe(false)
  kept.release('k')
  await platform.advance(1900)
  expect([call.hasTimedOut, abandoned]).toEqual([true, 0])
  await platform.advance(200)
  expect([abandoned, calls.overdue, calls.size]).toEqual([1, 1, 1])
  end.resolve()
  expect(await result).toMatchObject({ outcome: { reason: 'stage count timed out' } })
  calls.end(call)
  expect([calls.overdue, calls.size]).toEqual([0, 0])
})

// G9
test('a key with half of a surrogate pair is the key that stores write of it', async () => {
  const asked: string[] = []
  const kept = new KeptValues('count', {
    subscription: 'work',
    ledger: { keep: ({ key }) => void asked.push(key) },
    store: {
      async kept(_, query) {
        if ('keys' in query) asked.push(...query.keys)
        return []
      },
    },
    flush: async () => undefined,
    onDue: () => undefined,
  })
  const counting: Stage = { keyOf: () => 'a\ud800', process: () => ({ outcome: 'ack', keep: { value: 1 } }) }
  const stage = { name: 'count', stage: counting, calls: new Calls(platform, 1000), kept } as unknown as RunningStage
  const flight = new Flight(event, undefined, 'pending')
  keepOf(stage, flight, await runKeyed(stage, flight, stage.calls.begin(), { context } as unknown as LaneSetup))
  expect(asked).toEqual(['a\ufffd', 'a\ufffd'])
})
