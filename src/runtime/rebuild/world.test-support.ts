import { onTestFinished } from 'vitest'
import type { Event } from '../../core/event.ts'
import { createPipeline } from '../../pipeline.ts'
import type { PipelineConfig } from '../../plugin/pipeline-config.ts'
import { type Projection, type ProjectionOptions, projection } from '../../plugin/projection.ts'
import type { Store } from '../../plugin/store.ts'
import { memory } from '../../stores/memory.ts'
import { createVirtualPlatform } from '../../testing/virtual-platform.ts'
import type { Pipeline } from '../api.ts'

export interface Sum {
  readonly sum: number
  readonly count: number
}
type Amount = Event<{ readonly amount: number }>

/** Sums amounts, times a factor: with another factor it is another version. */
export function sums(factor = 1, more: Partial<ProjectionOptions<Sum, Amount>> = {}): Projection<Sum> {
  return projection<Sum, Amount>('sums', {
    match: ['paid'],
    initial: { sum: 0, count: 0 },
    fold: ({ sum, count }, { data }) => ({ sum: sum + factor * data.amount, count: count + 1 }),
    version: factor,
    ...more,
  })
}

const mostOfDispatch = 1024

/**
 * A store that outlives its pipelines, and the pipelines over it, in virtual time. `readMs` is how long each look of dispatch
 * at the log takes: rebuilds of long logs take their time.
 */
export async function world(readMs = 5) {
  const platform = createVirtualPlatform()
  const use = memory()
  const store = await use.declaration.open({}, { directory: '.', platform })
  const lasting = new Proxy(store, {
    get(target, name) {
      if (name === 'close') return async () => undefined
      if (name === 'read')
        return async (...given: Parameters<Store['read']>) => {
          const isDispatch = given[1] > 1 && given[1] <= mostOfDispatch
          if (isDispatch && readMs > 0) await new Promise<void>((resolve) => platform.after(readMs, resolve))
          return target.read(...given)
        }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const running = new Set<Pipeline>()
  let published = 0
  const start = async (projected: Projection<Sum>, more: Partial<PipelineConfig> = {}): Promise<Pipeline> => {
    const config = { store: { ...use, declaration: { ...use.declaration, open: async () => lasting } }, ...more }
    const pipeline = createPipeline({ ...config, subscriptions: { sums: projected } }, { platform, log: silent })
    running.add(pipeline)
    const starting = pipeline.start()
    await platform.advance(1)
    await starting
    return pipeline
  }
  const stop = async (pipeline: Pipeline): Promise<void> => {
    running.delete(pipeline)
    const stopping = pipeline.stop()
    await platform.advance(200)
    await stopping
  }
  onTestFinished(async () => {
    for (const pipeline of [...running]) await stop(pipeline)
  })
  return {
    platform,
    store,
    start,
    stop,
    /** Appends amounts to a key, past every pipeline. */
    async append(amounts: readonly number[], key = 'a'): Promise<void> {
      const events = amounts.map((amount) => {
        published += 1
        return { source: 's', id: String(published), type: 'paid', subject: key, data: JSON.stringify({ amount }) }
      })
      await store.commit([{ events }])
    },
    async publish(pipeline: Pipeline, amount: number, key = 'a'): Promise<void> {
      published += 1
      await pipeline.publish({ source: 's', id: String(published), type: 'paid', subject: key, data: { amount } })
      await platform.advance(20)
    },
    ledgers: async () => (await store.ledgers()).map(({ subscription }) => subscription).sort(),
  }
}

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
