import type { PluginKind } from '../plugin/define.ts'

const source = (name: string): string => `import { defineSource, duration, schema } from 'millrace/plugin'

/** The source \`${name}\`. In the configuration: { type: ./${name}.ts, url: … } */
export default defineSource({
  name: '${name}',
  summary: 'Says in one sentence where its events come from.',
  options: schema.strictObject({
    url: schema.url().describe('Where to ask.'),
    every: duration('How often to ask.', 1000).prefault('30s'),
  }),
  example: { url: 'https://example.com/changes' },
  create: ({ url, every }) => ({
    // Called once with the stored cursor. Each batch is committed, cursor and all, before the next one is asked for.
    async *read(cursor, context) {
      let next = cursor
      do {
        const address = new URL(url)
        if (next !== undefined) address.searchParams.set('after', next)
        const response = await fetch(address, { signal: context.signal })
        if (!response.ok) throw new Error(\`\${address.host} answered \${response.status}\`)
        const page = (await response.json()) as { items: { id: string; type: string }[]; next?: string }
        next = page.next ?? next
        yield { events: page.items.map((item) => ({ id: item.id, type: item.type, data: item })), cursor: next }
      } while (await context.sleep(every))
    },
  }),
})
`

const stage = (name: string): string => `import { defineStage, schema } from 'millrace/plugin'

/** The stage \`${name}\`. In the configuration: { use: ./${name}.ts, with: { tier: gold } } */
export default defineStage({
  name: '${name}',
  summary: 'Says in one sentence what it does to an event.',
  options: schema.strictObject({
    tier: schema.string().default('standard').describe('What to note in the context.'),
  }),
  example: { tier: 'gold' },
  create: ({ tier }) => ({
    // Called once per attempt. Its result is committed before the next step begins. Throwing means: try again later.
    async process({ event, context }) {
      if (event.type === 'order.test') return { outcome: 'discard', reason: 'a test order' }
      return { outcome: 'ack', context: { ...context, tier } }
    },
  }),
})
`

const sink = (name: string): string => `import { defineSink, type Outcome, schema } from 'millrace/plugin'

/** The sink \`${name}\`. In the configuration: { type: ./${name}.ts, url: … } */
export default defineSink({
  name: '${name}',
  summary: 'Says in one sentence where its events go.',
  delivers: 'At least once: says when an event counts as delivered, and what may happen twice.',
  options: schema.strictObject({
    url: schema.url().describe('Where to send.'),
  }),
  example: { url: 'https://example.com/events' },
  create: ({ url }) => ({
    // Called with 1 to \`batch\` deliveries (1 unless declared); answers one outcome for each. Throwing means: retry all of them.
    async deliver(deliveries, { signal }) {
      return Promise.all(
        deliveries.map(async ({ event, messageId }): Promise<Outcome> => {
          const response = await fetch(url, {
            method: 'POST',
            // The same over all attempts: the receiver can tell a repetition by it.
            headers: { 'content-type': 'application/json', 'webhook-id': messageId },
            body: JSON.stringify(event.data),
            signal,
          })
          if (response.ok) return { outcome: 'ack' }
          const isTheirs = response.status === 429 || response.status >= 500
          return { outcome: isTheirs ? 'retry' : 'reject', reason: \`answered \${response.status}\` }
        }),
      )
    },
  }),
})
`

const store = (name: string): string => `import { defineStore, schema, type Store } from 'millrace/plugin'
import { memory } from 'millrace/stores/memory'

/** The store \`${name}\`. In the configuration: store: { type: ./${name}.ts, keyPrefix: … } */
export default defineStore({
  name: '${name}',
  summary: 'Says in one sentence where it keeps events.',
  options: schema.strictObject({
    keyPrefix: schema.string().default('millrace').describe('What all its keys begin with.'),
  }),
  example: { keyPrefix: 'shop' },
  // Called once, before anything else. The pipeline decides everything; a store writes and reads what it is told, and says
  // in \`capabilities\` and \`durability\` what it can promise.
  async open(_options, context): Promise<Store> {
    // It works from the first line on: what is not written yet is that of the memory store. Replace it method by method. The
    // comments of \`Store\` are the contract, and \`storeCases\` of millrace/testing are its promises, each to be run over it.
    const rest = await memory().declaration.open({}, context)
    return {
      ...rest,
      type: '${name}',
      // Events after a sequence, oldest first.
      read: async (after, limit) => rest.read(after, limit),
    }
  },
})
`

/** The plug-in files that `millrace new` writes. */
export const pluginTemplates: Readonly<Record<PluginKind, (name: string) => string>> = { source, stage, sink, store }
