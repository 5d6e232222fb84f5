import { describe, expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import type { StageFunction } from '../plugin/stage-function.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, event, policy, type Spec } from './engine-fixture.test-support.ts'

const openMemory = () => memory().declaration.open({}, { directory: '.', platform: nodePlatform })

/** Derives an event of the given type from each that it sees. */
const derives =
  (type: string, more: object = {}): StageFunction =>
  () => ({ outcome: 'ack', derive: [{ type, ...more }] })

const spec = (name: string, match: string, stage: StageFunction, change: object = {}, stageName = 'again'): Spec => ({
  policy: policy(name, { match: [match], recursive: true, ...change }),
  stages: { [stageName]: stage },
  hasSink: false,
})

async function ended(specs: readonly Spec[], first: object = {}) {
  const { engine, store } = await engineWith(specs, await openMemory())
  await engine.publish(event(1, { type: 'ping', ...first }))
  for (let head = 0; head < store.head(); ) {
    head = store.head()
    await engine.idle()
  }
  const dead = (await Promise.all(specs.map(({ policy: { name } }) => engine.dead(name, { limit: 10 })))).flat()
  const records = await store.read(0, 1000)
  expect((await engine.audit()).problems).toEqual([])
  return {
    engine,
    dead,
    events: records.filter(({ type }) => !type.startsWith('millrace.')).map(({ record }) => record),
  }
}

describe('a subscription', () => {
  test('does not match what it derives itself, and explain says so', async () => {
    const { engine, dead, events } = await ended([spec('a', '*', derives('ping'), { recursive: undefined })])
    expect(events).toHaveLength(2)
    expect(dead).toEqual([])
    const { deliveries } = await engine.explain(2)
    expect(deliveries[0]).toMatchObject({ state: 'filtered', reason: 'derived by others did not match millrace:/a' })
    await engine.stop()
  })

  test('that is recursive does, until the event is 16 derivations deep: that one is a dead letter', async () => {
    const { engine, dead, events } = await ended([spec('a', '*', derives('ping'))])
    expect(events).toHaveLength(17)
    expect(dead.map(({ sequence, reason }) => [sequence, reason])).toEqual([
      [
        17,
        expect.stringMatching(
          /^it derived an event from one that is itself 16 derivations away .* a circle ends here$/,
        ),
      ],
    ])
    await engine.stop()
  })

  test('cannot hide how deep its events are: not by their meta, and not by replacing that of their parents', async () => {
    const forging: StageFunction = ({ event: { data } }) => ({
      outcome: 'ack',
      event: { meta: { millracedepth: 0 } },
      derive: [{ type: 'ping', data, meta: { millracedepth: 0, own: true } }],
    })
    const forget: StageFunction = () => ({ outcome: 'ack', event: { meta: {} } })
    const { engine, events, dead } = await ended([{ ...spec('a', '*', forging), stages: { forget, forging } }])
    expect([events.length, dead.length]).toEqual([17, 1])
    expect(events.at(-1)!.meta).toBe('{"millracedepth":16,"own":true}')
    await engine.stop()
  })

  test('with many descendants of long names gives each an id of its own that fits', async () => {
    const twice: StageFunction = ({ event: current }) => ({
      outcome: 'ack',
      derive: current.meta['millracedepth'] === undefined ? [{ type: 'ping' }, { type: 'ping' }] : [{ type: 'ping' }],
    })
    const { engine, events, dead } = await ended([spec('a', '*', twice, {}, 's'.repeat(64))], { id: 'i'.repeat(255) })
    // Two of the first, two of each of those, and then one after the other.
    expect(events).toHaveLength(1 + 2 + 4 * 15)
    expect(dead).toHaveLength(4)
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length)
    expect(Math.max(...events.map(({ id }) => id.length))).toBe(255)
    await engine.stop()
  })
})

describe('a circle', () => {
  test('of two subscriptions ends with a dead letter, recursive or not', async () => {
    const { engine, dead, events } = await ended([
      spec('a', 'ping', derives('pong'), { recursive: undefined }),
      spec('b', 'pong', derives('ping'), { recursive: undefined }),
    ])
    expect(events.map(({ type }) => type)).toEqual(
      Array.from({ length: 17 }, (_, i) => (i % 2 === 0 ? 'ping' : 'pong')),
    )
    expect(dead.map(({ sequence }) => sequence)).toEqual([17])
    await engine.stop()
  })

  test('through the death of what it derives ends, too', async () => {
    const { engine, dead, events } = await ended([
      spec('alarm', 'millrace.dead', derives('alert')),
      spec('broken', '*', () => ({ outcome: 'reject', reason: 'always' })),
    ])
    expect(events.map(({ type }) => type)).toEqual(['ping', ...Array.from({ length: 8 }, () => 'alert')])
    expect(dead.map(({ reason }) => reason.slice(0, 19))).toEqual([
      'it derived an event',
      ...Array.from({ length: 9 }, () => 'always'),
    ])
    await engine.stop()
  })
})
