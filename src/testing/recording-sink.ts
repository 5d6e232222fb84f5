import type { Outcome } from '../core/outcome.ts'
import { defineSink, type SinkDeclaration, type Use } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Delivery, SinkContext } from '../plugin/sink.ts'

export interface RecordingSinkOptions {
  /** What each delivery is answered; acknowledged when absent. May wait, and may throw. */
  readonly outcomes?:
    | ((delivery: Delivery, context: SinkContext) => Outcome | undefined | Promise<Outcome | undefined>)
    | undefined
  /** Deliveries per call at most; 1 when absent. */
  readonly batch?: number | undefined
  /** As a declaration says it; false when absent. */
  readonly runsUserCode?: boolean | undefined
}

/** A sink to put into a subscription, which remembers what it was given. */
export interface RecordingSink extends Use<SinkDeclaration> {
  /** Every attempt, in the order in which it began. */
  readonly received: readonly Delivery[]
  /** The sequences of `received`. */
  readonly sequences: readonly number[]
  /** How often it was opened and closed, and how many calls run now and ran at most at once. */
  readonly life: { readonly opened: number; readonly closed: number; readonly running: number; readonly most: number }
}

/** A sink for tests: `const sink = recordingSink()`, then `{ sink }` in a subscription and `sink.received` after it. */
export function recordingSink(options: RecordingSinkOptions = {}): RecordingSink {
  const received: Delivery[] = []
  const life = { opened: 0, closed: 0, running: 0, most: 0 }
  const definition = defineSink({
    name: 'recording',
    summary: 'Remembers what it was given, for tests.',
    delivers: 'Every attempt, to an array.',
    options: schema.strictObject({}).optional(),
    example: {},
    batch: options.batch,
    runsUserCode: options.runsUserCode,
    create: () => ({
      open() {
        life.opened++
      },
      async deliver(deliveries, context) {
        received.push(...deliveries)
        life.running++
        life.most = Math.max(life.most, life.running)
        try {
          return await Promise.all(
            deliveries.map(
              async (delivery): Promise<Outcome> => (await options.outcomes?.(delivery, context)) ?? { outcome: 'ack' },
            ),
          )
        } finally {
          life.running--
        }
      },
      close() {
        life.closed++
      },
    }),
  })
  return {
    ...definition(),
    received,
    get sequences() {
      return received.map(({ event }) => event.sequence)
    },
    life,
  }
}
