import { expect, test } from 'vitest'
import { stage } from '../../plugin/stage-function.ts'
import { memory } from '../../stores/memory.ts'
import { recordingSink } from '../recording-sink.ts'
import { createRandom } from '../virtual-platform.ts'
import { type CrashPoint, crashPoints, type StoreFailure, storeFailures } from './faults.ts'
import { testPipeline } from './test-pipeline.ts'

const failures = Object.keys(storeFailures) as StoreFailure[]
const points = (Object.keys(crashPoints) as CrashPoint[]).filter((point) => !/lease|confirm/.test(point))

/** Publishes, fails, crashes and restarts as the seed says; at the end every event that somebody got an answer for is delivered. */
async function ordeal(seed: number): Promise<void> {
  const random = createRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const flaky = recordingSink({
    outcomes: async () => (random() < 0.2 ? { outcome: 'retry', reason: 'flaky' } : undefined),
  })
  const stages = ['first', 'second'].map((name) =>
    stage(name, async ({ event, context }) => {
      if (random() < 0.1) throw new Error('flaky')
      const derive = name === 'first' && event.type === 'order' ? [{ type: 'invoice', subject: event.subject }] : []
      return { outcome: 'ack', context: { ...context, [name]: true }, derive }
    }),
  )
  await using pipeline = await testPipeline(
    {
      store: memory(),
      subscriptions: {
        crm: {
          match: ['order'],
          stages,
          sink: flaky,
          ordering: 'key',
          retry: { attempts: 'unlimited', delays: ['1m'] },
        },
        billing: { match: ['invoice'], sink: recordingSink() },
      },
    },
    { seed },
  )
  const answered = new Set<string>()
  for (let step = 0; step < 40; step++) {
    const drawn = below(10)
    if (drawn < 5) {
      const id = `${step}`
      const publishing = pipeline.publish({ source: 's', id, type: 'order', subject: `o${below(3)}` })
      await publishing.then(
        () => answered.add(id),
        () => undefined,
      )
    } else if (drawn < 7) await pipeline.clock.advance(`${below(90)}s`)
    else if (drawn < 8) pipeline.failStore(failures[below(failures.length)]!, 1 + below(3))
    else if (random() < 0.7) pipeline.crashAt(points[below(points.length)]!, { nth: 1 + below(4) })
    else pipeline.crash()
    if (pipeline.hasCrashed) await pipeline.restart()
  }
  // A crash that is still to come, comes.
  pipeline.crash()
  pipeline.failStore('disk full', 0)
  for (let round = 0; round < 5; round++) {
    if (pipeline.hasCrashed) await pipeline.restart()
    // What was under way in two crashes is put aside as what may have caused them.
    await pipeline.redrive('crm', { all: true }).catch(() => undefined)
    await pipeline.clock.advance('6h')
  }
  const orders = await pipeline.deliveries('crm')
  expect(orders.filter(({ state }) => state !== 'delivered')).toEqual([])
  expect(orders.map(({ id }) => id)).toEqual(expect.arrayContaining([...answered]))
  // One invoice each: what a stage derives is stored with its step.
  expect(await pipeline.derived('crm')).toHaveLength(orders.length)
  expect(await pipeline.deliveries('billing')).toHaveLength(orders.length)
  expect(await pipeline.audit()).toMatchObject({ ok: true })
}

test.each(Array.from({ length: 25 }, (_, at) => at + 1))(
  'crashes, failures and retries at random leave the books in balance (seed %i)',
  ordeal,
)
