import { parseDuration } from '../core/duration.ts'
import { failureModes, guarantees, orderings } from '../core/plan.ts'
import type { Catalogue } from './catalogue.ts'
import { deliverySettings, patternSetting } from './delivery-settings.ts'
import { egressSetting } from './egress-rule.ts'
import { retrySetting } from './retry-setting.ts'
import { schema } from './schema.ts'
import { eventsSetting, pinsSetting, schemasSetting, upcastSetting } from './schema-settings.ts'
import { limitsSchema, serverSchema } from './server-schema.ts'
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

/** One subscription, as it is written. */
export function subscriptionSchema(slots: Slots) {
  return schema.strictObject({
    from: schema.array(schema.string().min(1)).min(1).describe('Sources to read. Default: every one.').optional(),
    match: schema.array(patternSetting).describe('Types to read: *, prefix.* or exact. Default: *.').optional(),
    schemas: pinsSetting
      .describe('Versions of event types that it stays at: older events are brought up to them and no further.')
      .optional(),
    stages: schema.array(slots.stage).describe('Steps that work on an event before the sink, in order.').optional(),
    sink: slots.sink.optional(),
    ...deliverySettings,
    guarantee: schema
      .enum(guarantees)
      .describe(
        'at-least-once (default): reads the log and misses nothing; best-effort: a bounded queue in memory, lossy and counted.',
      )
      .optional(),
    buffer: count('For best-effort: events that wait at most; what comes beyond is dropped. Default: 1000.').optional(),
    recursive: schema
      .boolean()
      .describe('True: it also matches events that its own stages derive, to a depth of 16. Default: false.')
      .optional(),
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
    retry: retrySetting.describe("When a failed attempt is made again. Default: the sink's schedule.").optional(),
    dead: dead.describe('What happens to deliveries that were given up.').optional(),
    timeout: duration('How long one attempt may take. Default: 15s.', 1).optional(),
    start: start.optional(),
    window: count('Deliveries kept in memory. Default: 4 times the concurrency, at least 1024.').optional(),
    maxOpen: count('Open deliveries at which reading stops. Default: 100000.').optional(),
    paused: schema.boolean().describe('True: starts paused.').optional(),
  })
}

/** The names of a subscription's settings. */
export function subscriptionSettings(catalogue: Catalogue): readonly string[] {
  return Object.keys(subscriptionSchema(checkingSlots(catalogue)).shape)
}

/** The whole configuration, the same for files and code. Keys are described for editors and the reference. */
export function pipelineSchema(slots: Slots) {
  return schema.strictObject({
    store: slots.store,
    retention: retention.describe('How long events are kept. Default: for ever.').optional(),
    dedup: duration('How long (source, id) is remembered. Default: 30d.', 1).optional(),
    history: duration('How long the history of deliveries is kept. Default: 7d.', 1).optional(),
    server: serverSchema.describe('The HTTP server of `millrace run`.').optional(),
    limits: limitsSchema.describe('Bounds of what is accepted.').optional(),
    egress: egressSetting.describe('What outbound HTTP may reach beside public addresses over https.').optional(),
    schemas: schemasSetting.describe('What events must look like, by type.').optional(),
    events: eventsSetting.describe('In code: types of event with a Standard Schema each.').optional(),
    streams: schema
      .array(patternSetting)
      .min(1, { error: 'a pattern is needed; leave streams out when no type belongs to one' })
      .describe(
        'Types whose events belong to a stream, which their subject names: *, prefix.* or exact. Default: none.',
      )
      .optional(),
    upcast: upcastSetting
      .describe('Functions that make the next version of old data, by type and version: { use: ./upcasts.ts#name }.')
      .optional(),
    sources: schema.record(nameSchema, slots.source).describe('Where events come from, by name.').optional(),
    subscriptions: schema
      .record(nameSchema, subscriptionSchema(slots))
      .describe('Who reads the log, by name.')
      .optional(),
  })
}

/** The configuration as it is written. */
export type PipelineConfig = Omit<schema.input<ReturnType<typeof pipelineSchema>>, 'events'> & {
  /** Types of event that are declared in code type the whole configuration: see `TypedPipelineConfig`. */
  readonly events?: undefined
}
/** The configuration as it is checked, defaults not yet filled in. */
export type CheckedConfig = schema.output<ReturnType<typeof pipelineSchema>>
/** A subscription as it is written. */
export type SubscriptionConfig = NonNullable<PipelineConfig['subscriptions']>[string]
export type CheckedSubscription = NonNullable<CheckedConfig['subscriptions']>[string]
