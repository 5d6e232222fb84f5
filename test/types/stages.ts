import { openPipeline, type StageOf, stage } from 'millrace'
import { memory } from 'millrace/stores/memory'
import { z } from 'zod'

// Checked by `tsc` alone: each line after an expected error must not compile, or the check of types fails.

const events = {
  'order.placed': z.object({ total: z.number() }),
  'order.item.added': z.object({ sku: z.string(), tags: z.array(z.string()).optional() }),
  'user.joined': z.object({ name: z.string() }),
}
type Shop = typeof events
const store = memory()

/** A stage knows its events from `match`, with nothing told to it. */
export async function fromMatch(): Promise<void> {
  await openPipeline({
    store,
    events,
    subscriptions: {
      one: {
        match: ['order.placed'],
        stages: [
          {
            name: 'total',
            use: ({ event, context, attempt }) => {
              const type: 'order.placed' = event.type
              const total: number = event.data.total
              // @ts-expect-error a field that the data does not have
              const sum: number = event.data.sum
              return { outcome: 'ack', context: { ...context, type, total, sum, attempt } }
            },
            concurrency: 10,
          },
          { use: './later.ts', name: 'later' },
        ],
      },
      prefix: {
        match: ['order.*'],
        stages: [
          {
            name: 'either',
            use: async ({ event }) => {
              // @ts-expect-error only one of the two types has it
              void event.data.total
              if (event.type === 'order.placed') return { outcome: 'ack', context: { total: event.data.total } }
              return { outcome: 'ack', context: { sku: event.data.sku } }
            },
          },
        ],
      },
      many: {
        match: ['order.item.*', 'user.joined', 'millrace.dead'],
        stages: [
          {
            name: 'which',
            use: ({ event }) => {
              if (event.type === 'user.joined') return void event.data.name
              if (event.type === 'order.item.added') return void event.data.sku
              const engine: `millrace.${string}` = event.type
              return void engine
            },
          },
        ],
      },
      all: {
        stages: [
          {
            name: 'any',
            use: ({ event }) => {
              const type: 'order.placed' | 'order.item.added' | 'user.joined' = event.type
              return void type
            },
          },
        ],
      },
    },
  })
}

/** What a stage derives is of a declared type, with its data. */
export async function derived(): Promise<void> {
  await openPipeline({
    store,
    events,
    subscriptions: {
      good: {
        match: ['order.placed'],
        stages: [
          {
            name: 'split',
            use: async ({ event }) => ({
              outcome: 'ack',
              derive: [
                { type: 'user.joined', data: { name: String(event.data.total) } },
                { type: 'order.item.added', data: { sku: 'a', tags: ['b'] }, subject: 'c', id: 'first' },
              ],
            }),
          },
        ],
      },
    },
  })
  await openPipeline({
    store,
    events,
    subscriptions: {
      bad: {
        match: ['order.placed'],
        // @ts-expect-error a type that is not declared
        stages: [{ name: 'a', use: () => ({ outcome: 'ack', derive: [{ type: 'user.left', data: {} }] }) }],
      },
    },
  })
  await openPipeline({
    store,
    events,
    subscriptions: {
      bad: {
        match: ['order.placed'],
        // @ts-expect-error data of another type
        stages: [{ name: 'a', use: () => ({ outcome: 'ack', derive: [{ type: 'user.joined', data: { name: 1 } }] }) }],
      },
    },
  })
  await openPipeline({
    store,
    events,
    subscriptions: {
      bad: {
        match: ['order.placed'],
        // @ts-expect-error no data
        stages: [{ name: 'a', use: () => ({ outcome: 'ack', derive: [{ type: 'user.joined' }] }) }],
      },
    },
  })
}

/** A stage in a file of its own names the declaration and the pattern once. */
const total: StageOf<Shop, 'order.placed'> = async ({ event }) => ({
  outcome: 'ack',
  context: { total: event.data.total },
  derive: [{ type: 'user.joined', data: { name: 'Ada' } }],
})
// @ts-expect-error a type that is not declared
export const wrong: StageOf<Shop> = () => ({ outcome: 'ack', derive: [{ type: 'user.left', data: {} }] })

export async function elsewhere(): Promise<void> {
  await openPipeline({
    store,
    events,
    subscriptions: { crm: { match: ['order.placed'], stages: [{ name: 'total', use: total }] } },
  })
  await openPipeline({
    store,
    events,
    // @ts-expect-error it would be given events that it does not know
    subscriptions: { crm: { match: ['order.*'], stages: [{ name: 'total', use: total }] } },
  })
}

/** Without declared types everything goes, as before. */
export async function undeclared(): Promise<void> {
  await openPipeline({
    store,
    subscriptions: {
      any: {
        match: ['what.ever'],
        stages: [
          { name: 'one', use: ({ event }) => ({ outcome: 'ack', derive: [{ type: `${event.type}.done` }] }) },
          stage('two', () => ({ outcome: 'ack', derive: [{ type: 'x', data: 1 }] })),
        ],
      },
    },
  })
}

/** A stage that declares its input knows its data. */
export async function declaringInput(): Promise<void> {
  const input = z.object({ total: z.number() })
  const bill = stage(
    'bill',
    async ({ event }) => {
      const sum: number = event.data.total
      // @ts-expect-error a field that the data does not have
      void event.data.sum
      return { outcome: 'ack', context: { sum } }
    },
    { input, concurrency: 2 },
  )
  await openPipeline({ store, subscriptions: { bills: { stages: [bill] } } })
  await openPipeline({ store, events, subscriptions: { bills: { match: ['order.placed'], stages: [bill] } } })
  stage('json', ({ event }) => void event.data, { input: { type: 'object' } })
  // @ts-expect-error an outcome that does not exist
  stage('wrong', () => ({ outcome: 'acked' }), { input })
}
