import { schema } from '../plugin/schema.ts'
import { rebuildStates } from '../runtime/rebuild/face.ts'

const count = schema.number().int().min(0)

/** The stages of a subscription that keep something. */
export const keepingStages = schema.object({
  stages: schema.array(schema.string()),
  foldVersion: schema.string().optional().describe('For a projection: which version of its code made what it keeps'),
})

/** Parameters of a list of what a stage keeps. */
export const stateSearch = schema.strictObject({
  after: schema.string().optional().describe('Only keys after this one: the previous answer’s next'),
  limit: schema.coerce.number().int().min(1).max(1_000).default(100).describe('At most this many (1 to 1,000)'),
  prefix: schema.string().optional().describe('Only keys that begin with this'),
})

/** What a stage keeps under a key. */
export const stateEntry = schema.object({
  key: schema.string(),
  value: schema.unknown(),
  dueAt: schema.iso.datetime().optional().describe('When the stage is called for it'),
})
export const statePage = schema.object({ entries: schema.array(stateEntry), next: schema.string().optional() })

export const rebuildCall = schema.strictObject({
  force: schema
    .boolean()
    .optional()
    .describe('True: also where retention has removed what the state began with; then another state comes of it'),
})

/** The rebuild of what a projection keeps: how far it is, or how it ended. */
export const rebuild = schema.object({
  subscription: schema.string(),
  state: schema.enum(rebuildStates),
  reason: schema.string().optional(),
  version: schema.string(),
  from: count.describe('The first event that it reads'),
  examined: count.describe('The last event that it has looked at'),
  head: count.describe('The newest event'),
  delivered: count.describe('Events folded'),
  open: count,
  dead: count,
  lost: count,
  perSecond: schema.number().optional().describe('Events looked at each second, lately'),
  etaSeconds: schema.number().optional(),
  endedAt: schema.iso.datetime().optional(),
})
