import { join } from 'node:path'
import { openPipeline, type Pipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { recordingSink } from 'millrace/testing'
import { expect, test } from 'vitest'
import { temporaryFolder, until } from './process.ts'

const rounds = 60

/** Publishes one event after another, each when the fast sink has the last; answers medians in milliseconds. */
async function measure(pipeline: Pipeline, fast: { readonly received: readonly unknown[] }, from: number) {
  const publishing: number[] = []
  const arriving: number[] = []
  for (let n = from; n < from + rounds; n++) {
    const began = performance.now()
    await pipeline.publish({ source: 'shop', id: String(n), type: 'order.placed', subject: `k${n % 3}` })
    publishing.push(performance.now() - began)
    await until(() => fast.received.length > n)
    arriving.push(performance.now() - began)
  }
  return { publish: median(publishing), arrival: median(arriving) }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

test('one sink that never answers and one that always fails move neither publishing nor a fast sink, and each keeps its own books', async () => {
  // G18 S3-20 S0-19 S3-04
  const fast = recordingSink()
  await using alone = await openPipeline({
    store: sqlite({ path: join(temporaryFolder(), 'events.db') }),
    subscriptions: { fast: { sink: fast } },
  })
  const calm = await measure(alone, fast, 0)
  await alone.stop()

  const beside = recordingSink()
  const deaf = recordingSink({ outcomes: () => new Promise(() => undefined) })
  const failing = recordingSink({ outcomes: () => Promise.reject(new Error('refused')) })
  const pipeline = await openPipeline({
    store: sqlite({ path: join(temporaryFolder(), 'events.db') }),
    subscriptions: {
      deaf: { sink: deaf, window: 16, concurrency: 4 },
      failing: { sink: failing, concurrency: 4, retry: { attempts: 3, delays: ['1ms'] } },
      fast: { sink: beside },
    },
  })
  const troubled = await measure(pipeline, beside, 0)
  await until(async () => (await pipeline.subscription('failing')).counters.dead === rounds)

  // Generous: the machine is noisy. One that waited for the deaf one would wait for ever.
  expect(troubled.publish).toBeLessThan(10 * calm.publish + 25)
  expect(troubled.arrival).toBeLessThan(10 * calm.arrival + 25)
  expect(await pipeline.subscription('fast')).toMatchObject({
    state: 'running',
    lag: 0,
    open: 0,
    counters: { delivered: rounds, dead: 0, retries: 0 },
  })
  expect(await pipeline.subscription('failing')).toMatchObject({
    open: 0,
    counters: { delivered: 0, dead: rounds, retries: 2 * rounds },
  })
  expect(await pipeline.subscription('deaf')).toMatchObject({ counters: { delivered: 0, dead: 0, retries: 0 } })
  expect(deaf.life.most).toBe(4)

  const { deliveries } = await pipeline.explain(1)
  expect(deliveries.map(({ subscription, state }) => [subscription, state])).toEqual([
    ['deaf', 'pending'],
    ['failing', 'dead'],
    ['fast', 'delivered'],
  ])
  expect(await pipeline.audit()).toMatchObject({ ok: true })
  await pipeline.stop({ deadline: '1ms' })
})
