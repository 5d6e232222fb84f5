import type { Json } from '../core/event.ts'
import type { Platform } from '../core/platform.ts'
import { eventTypeOption } from '../io/event-type.ts'
import { defineSource } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Source, SourceBatch, SourceContext } from '../plugin/source.ts'
import { duration, rate } from '../plugin/values.ts'

const options = schema.strictObject({
  every: duration('How long to wait between two events.', 1).prefault('10s'),
  rate: rate('How many events in a time, for example 100/s; instead of every.').optional(),
  count: schema
    .int()
    .min(1)
    .optional()
    .describe('How many events to make in all, restarts included; without it, no end.'),
  eventType: eventTypeOption('The type of the events.').default('mock.random_number'),
  subject: schema
    .string()
    .min(1)
    .optional()
    .describe('The subject of the events; mock-<name of the source> without it.'),
  data: schema.json().optional().describe('The data of every event; { number: 1 to 100 } at random without it.'),
  ids: schema
    .enum(['random', 'sequence'])
    .default('random')
    .describe('random: a new unique id each; sequence: 1, 2, 3 and so on, the same in every run (tests, benchmarks).'),
})

/** Makes events out of nothing: for trying things out, tests and benchmarks. */
export const generate = defineSource({
  name: 'generate',
  summary: 'Makes events at a steady pace, for trying things out.',
  options,
  example: { every: '10s' },
  create: (checked, { platform }): Source => createGenerate(checked, platform),
})

const maxBatch = 1000

function createGenerate(checked: ReturnType<typeof options.parse>, platform: Platform): Source {
  const { every, rate, count = Number.POSITIVE_INFINITY, eventType: type, data, ids } = checked
  const intervalMs = rate === undefined ? every : 1000 / rate.perSecond
  return {
    async *read(cursor, context) {
      let made = Number(cursor ?? 0)
      if (!Number.isSafeInteger(made) || made < 0) made = 0
      const subject = checked.subject ?? `mock-${context.name}`
      const began = context.clock.monotonic()
      // The first one at once; the cursor counts what was committed, so a restart makes none twice and leaves none out.
      for (let due = 1, here = 0; made < count && !context.signal.aborted; ) {
        if (here >= due) {
          if (!(await untilDue(context, began + here * intervalMs))) return
          due = Math.floor((context.clock.monotonic() - began) / intervalMs) + 1
          continue
        }
        const events: { id: string; type: string; subject: string; data: Json }[] = []
        for (const wanted = Math.min(due - here, maxBatch, count - made); events.length < wanted; ) {
          const id = ids === 'random' ? platform.id() : String(made + events.length + 1)
          events.push({ id, type, subject, data: data ?? { number: 1 + Math.floor(platform.random() * 100) } })
        }
        made += events.length
        here += events.length
        yield { events, cursor: String(made) } satisfies SourceBatch
      }
    },
  }
}

/** False when the pipeline stops. Waits at least 1 ms, so that high rates come in batches. */
async function untilDue(context: SourceContext, at: number): Promise<boolean> {
  return context.sleep(Math.max(1, Math.ceil(at - context.clock.monotonic())))
}
