import { parseDuration } from '../core/duration.ts'
import { checkPattern } from '../core/match.ts'
import { failureModes, orderings } from '../core/plan.ts'
import type { Catalogue } from './catalogue.ts'
import { schema } from './schema.ts'
import { checkingSlot, type Slot } from './slots.ts'
import { checkingStageSlot, nameSchema, type StageSlot } from './stage-slot.ts'
import { count, duration, size } from './values.ts'

/** The places where plug-ins stand. Checking fills them from a catalogue; the JSON Schema puts its own there. */
export interface Slots {
  readonly store: Slot<'store'>
  readonly source: Slot<'source'>
  readonly sink: Slot<'sink'>
  readonly stage: StageSlot
}

/** Slots that look plug-ins up in a catalogue and check their options. */
export function checkingSlots(catalogue: Catalogue): Slots {
  return {
    store: checkingSlot('store', catalogue),
    source: checkingSlot('source', catalogue),
    sink: checkingSlot('sink', catalogue),
    stage: checkingStageSlot(catalogue),
  }
}

/** Scopes of a token. */
export const tokenScopes = ['ingest', 'read', 'admin'] as const

const pattern = schema.string().superRefine((text, context) => {
  const wrong = checkPattern(text)
  if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
})

const retention = schema.strictObject({
  age: duration('Events older than this are removed once nobody needs them.', 1).optional(),
  size: size('The store is kept below this size by removing the oldest events that nobody needs.').optional(),
  whenPinned: schema
    .enum(['keep', 'force'])
    .describe(
      'When a subscription still needs old events: keep them (default), or force them out and count them as lost.',
    )
    .optional(),
})

const token = schema.strictObject({
  name: schema.string().min(1).describe('Who uses the token; shown in logs.'),
  hash: schema.string().min(1).describe('SHA-256 of the token in hexadecimal; the token itself is never written down.'),
  scopes: schema.array(schema.enum(tokenScopes)).min(1).describe('What the token may do.'),
  sources: schema.array(schema.string().min(1)).describe('Sources it may publish as. Default: every one.').optional(),
})

const server = schema.strictObject({
  host: schema.string().min(1).describe('The address to listen on. Default: 127.0.0.1.').optional(),
  port: schema.int().min(0).max(65_535).describe('The port; 0 for any free one. Default: 7117.').optional(),
  tokens: schema.array(token).describe('Tokens of the HTTP API.').optional(),
})

const limits = schema.strictObject({
  body: size('Largest request body. Default: 1MiB.').optional(),
  batch: count('Most events in one request. Default: 10000.').optional(),
  depth: count('Deepest nesting of JSON data. Default: 64.').optional(),
})

const attempts = schema
  .union([schema.int().min(1), schema.literal('unlimited')], {
    error: 'a whole number of at least 1 is needed, or unlimited',
  })
  .describe('Attempts in all, the first included; or unlimited.')

const retry = schema.strictObject({
  attempts: attempts.optional(),
  delays: schema.array(duration('A wait.')).min(1).describe('Waits between attempts; the last repeats.').optional(),
  base: duration('First wait, when there are no delays. It grows by factor up to max.', 1).optional(),
  factor: schema.number().min(1).max(100).describe('By how much each wait is longer than the one before.').optional(),
  max: duration('Longest wait.', 1).optional(),
  jitter: schema.number().min(0).max(1).describe('0 to 1: up to this part of a wait is left out by chance.').optional(),
})

function keepProblem(input: unknown): string {
  const parsed = parseDuration(input)
  return parsed.ok ? 'a duration or forever is needed' : `${parsed.problem}; or forever`
}

const dead = schema.strictObject({
  keep: schema
    .union([schema.literal('forever'), duration('')], { error: ({ input }) => keepProblem(input) })
    .describe('How long dead letters are kept; or forever. Default: 30d.')
    .optional(),
  redrive: schema
    .strictObject({
      after: duration('How long after its death a delivery is tried again.', 1),
      times: count('How often that is done for one delivery.'),
    })
    .describe('Puts dead letters back by itself.')
    .optional(),
})

const rfc3339 = schema
  .string()
  .refine(
    (text) =>
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i.test(text) && !Number.isNaN(Date.parse(text)),
    {
      error: 'a time such as 2026-01-31T12:00:00Z is needed',
    },
  )
const start = schema
  .union(
    [
      schema.enum(['now', 'beginning']),
      schema.strictObject({ sequence: schema.int().min(0) }),
      schema.strictObject({ time: rfc3339 }),
    ],
    { error: 'now, beginning, { sequence: N } or { time: 2026-01-31T12:00:00Z } is needed' },
  )
  .describe('Where a new subscription begins to read. Default: now. Ignored once it exists.')

const guarantee = schema
  .literal('at-least-once', {
    error: ({ input }) =>
      input === 'best-effort' ? 'best-effort is not available yet: only at-least-once can stand here' : undefined,
  })
  .describe('at-least-once: reads the log and misses nothing. Default.')

function subscription(slots: Slots) {
  return schema.strictObject({
    from: schema.array(schema.string().min(1)).min(1).describe('Sources to read. Default: every one.').optional(),
    match: schema.array(pattern).describe('Types to read: *, prefix.* or exact. Default: *.').optional(),
    stages: schema.array(slots.stage).describe('Steps that work on an event before the sink, in order.').optional(),
    sink: slots.sink.optional(),
    guarantee: guarantee.optional(),
    ordering: schema
      .enum(orderings)
      .describe('none (default); key: in order within a subject; strict: one at a time.')
      .optional(),
    onFailure: schema
      .enum(failureModes)
      .describe(
        'What a failing event does to those after it: block (default), park its key when it dies, halt the subscription.',
      )
      .optional(),
    concurrency: count("Attempts at a time. Default: the sink's, else 16.").optional(),
    retry: retry.describe("When a failed attempt is made again. Default: the sink's schedule.").optional(),
    dead: dead.describe('What happens to deliveries that were given up.').optional(),
    timeout: duration('How long one attempt may take. Default: 15s.', 1).optional(),
    start: start.optional(),
    window: count('Deliveries kept in memory. Default: 4 times the concurrency, at least 1024.').optional(),
    maxOpen: count('Open deliveries at which reading stops. Default: 100000.').optional(),
    paused: schema.boolean().describe('True: starts paused.').optional(),
  })
}

/** The whole configuration, the same for files and code. Keys are described for editors and the reference. */
export function pipelineSchema(slots: Slots) {
  return schema.strictObject({
    store: slots.store,
    retention: retention.describe('How long events are kept. Default: for ever.').optional(),
    dedup: duration('How long (source, id) is remembered. Default: 30d.', 1).optional(),
    history: duration('How long the history of deliveries is kept. Default: 7d.', 1).optional(),
    server: server.describe('The HTTP server of `millrace run`.').optional(),
    limits: limits.describe('Bounds of what is accepted.').optional(),
    sources: schema.record(nameSchema, slots.source).describe('Where events come from, by name.').optional(),
    subscriptions: schema.record(nameSchema, subscription(slots)).describe('Who reads the log, by name.').optional(),
  })
}

/** The configuration as it is written. */
export type PipelineConfig = schema.input<ReturnType<typeof pipelineSchema>>
/** The configuration as it is checked, defaults not yet filled in. */
export type CheckedConfig = schema.output<ReturnType<typeof pipelineSchema>>
export type CheckedSubscription = NonNullable<CheckedConfig['subscriptions']>[string]
