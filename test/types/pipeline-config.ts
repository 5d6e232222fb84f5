import { type PipelineConfig, stage } from 'millrace'
import { consoleSink } from 'millrace/sinks/console'
import { webhook } from 'millrace/sinks/webhook'
import { directory } from 'millrace/sources/directory'
import { memory } from 'millrace/stores/memory'
import { sqlite } from 'millrace/stores/sqlite'

// Checked by `tsc` alone: each line after an expected error must not compile, or the check of types fails.

export const whole = {
  store: sqlite({ path: 'events.db', durability: 'process' }),
  retention: { age: '30d', size: '10GiB', whenPinned: 'keep' },
  sources: { inbox: directory({ path: './inbox' }), api: { type: 'http' } },
  subscriptions: {
    crm: {
      from: ['inbox'],
      match: ['order.*'],
      ordering: 'key',
      onFailure: 'park',
      stages: [
        stage(
          'enrich',
          async ({ event, context, attempt }) => ({
            outcome: 'ack',
            context: { ...context, type: event.type, attempt },
          }),
          {
            concurrency: 10,
            buffer: 5,
            timeout: '5s',
          },
        ),
        stage('look', () => undefined),
        { use: './filter.ts', name: 'filter', with: { when: 'x' } },
      ],
      sink: webhook({ url: 'https://crm.example/hook' }),
      retry: { attempts: 'unlimited', delays: ['5s', '5m'] },
      dead: { keep: 'forever', redrive: { after: '1h', times: 3 } },
      start: { sequence: 5 },
    },
    print: { sink: consoleSink() },
  },
} satisfies PipelineConfig

export const byName = { store: { type: 'sqlite', path: 'events.db' } } satisfies PipelineConfig

// @ts-expect-error an option that the store does not have
sqlite({ path: 'events.db', durabilty: 'disk' })
// @ts-expect-error a value that the option cannot have
sqlite({ path: 'events.db', durability: 'paper' })
// @ts-expect-error a needed option is missing
sqlite()
// @ts-expect-error an option of the wrong type
webhook({ url: 5 })
// @ts-expect-error an option that the sink does not have
webhook({ url: 'https://crm.example', urll: 1 })
memory()

// @ts-expect-error a configuration has a store
export const noStore = {} satisfies PipelineConfig
// @ts-expect-error a sink is no store
export const wrongKind = { store: consoleSink() } satisfies PipelineConfig
// @ts-expect-error a definition is called with its options
export const notCalled = { store: memory } satisfies PipelineConfig
// @ts-expect-error a setting that does not exist
export const unknownKey = { store: memory(), limts: {} } satisfies PipelineConfig
// @ts-expect-error a duration is text with a unit
export const bareNumber = { store: memory(), subscriptions: { a: { timeout: 15 } } } satisfies PipelineConfig
// @ts-expect-error an ordering that does not exist
export const wrongWord = { store: memory(), subscriptions: { a: { ordering: 'kye' } } } satisfies PipelineConfig
export const lossy = {
  store: memory(),
  subscriptions: { a: { guarantee: 'best-effort', buffer: 10 } },
} satisfies PipelineConfig
// @ts-expect-error a store is no sink
export const wrongSink = { store: memory(), subscriptions: { a: { sink: memory() } } } satisfies PipelineConfig
// @ts-expect-error an outcome that does not exist
stage('wrong', () => ({ outcome: 'acked' }))
// @ts-expect-error a setting that a stage does not have
stage('wrong', () => undefined, { concurency: 3 })
stage('frozen', ({ event }) => {
  // @ts-expect-error events are not changed in place
  event.type = 'other'
})
