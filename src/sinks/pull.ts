import { AppError } from '../core/errors.ts'
import { defineSink } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Sink } from '../plugin/sink.ts'
import { duration } from '../plugin/values.ts'

const defaults = { leaseMs: 30_000, limit: 100, maxWaitMs: 60_000 } as const
const mostPerBatch = 10_000
/** Twice what an answer counts of what remains, so that it is refilled before that is not exact any more. */
const window = 20_000

/** Keeps events for clients that fetch them in batches over HTTP and confirm them. */
export const pull = defineSink({
  name: 'pull',
  summary: 'Keeps events for clients that fetch them in batches over HTTP and confirm each batch.',
  delivers:
    'At least once. A batch is its client’s until the deadline of its lease and to nobody else meanwhile; it is done when ' +
    'the client confirms it. What is not confirmed in time is offered again, before newer events, with its delivery count ' +
    'one higher. Leases survive a restart. A repeated confirm changes nothing.',
  options: schema.strictObject({
    lease: duration(
      'How long a batch is its client’s, when the client does not say. Default: 30s. With 0s nothing is leased: batches overlap until they are confirmed.',
    ).optional(),
    limit: schema
      .int()
      .min(1)
      .max(mostPerBatch)
      .describe('Events in a batch, when the client does not say. Default: 100.')
      .optional(),
    maxWait: duration('How long a fetch may wait for events, at most. Default and most: 60s.')
      .refine((ms) => ms <= defaults.maxWaitMs, { error: 'at most 60s' })
      .optional(),
  }),
  example: { lease: '30s' },
  served: 'batches',
  atRunTime: {},
  batches: ({ lease, limit, maxWait }) => ({
    leaseMs: lease ?? defaults.leaseMs,
    limit: limit ?? defaults.limit,
    maxWaitMs: maxWait ?? defaults.maxWaitMs,
  }),
  defaults: { window },
  create: (): Sink => ({
    deliver() {
      throw new AppError(
        'state-conflict',
        'delivering to the sink pull failed: its clients fetch batches from it over HTTP',
      )
    },
  }),
})
