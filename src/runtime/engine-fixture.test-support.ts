import type { EventInput } from '../core/event.ts'
import type { Outcome } from '../core/outcome.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import { defaultRetry } from '../core/retry.ts'
import type { BatchSettings } from '../plugin/define.ts'
import { nodePlatform } from '../plugin/platform.ts'
import type { RetryPolicies } from '../plugin/retry-setting.ts'
import type { Delivery } from '../plugin/sink.ts'
import type { StageFunction } from '../plugin/stage-function.ts'
import type { Store } from '../plugin/store.ts'
import { Engine } from './engine.ts'
import type { EngineSetup } from './setup.ts'

/** Engines on a given store for the runtime's own tests: sinks answer as told and remember what they got. */
const log = { debug() {}, info() {}, warn() {}, error() {} }

export function policy(name: string, change: Partial<SubscriptionPolicy> = {}): SubscriptionPolicy {
  return {
    name,
    from: undefined,
    match: ['*'],
    ordering: 'none',
    onFailure: 'block',
    concurrency: 4,
    timeoutMs: 1000,
    retry: { ...defaultRetry, attempts: 3, delaysMs: [5], jitter: 0 },
    throwAttempts: 10,
    start: { kind: 'now' },
    window: 64,
    maxOpen: 1000,
    dead: { keepMs: undefined, redrive: undefined },
    ...change,
  }
}

export interface Spec {
  readonly policy: SubscriptionPolicy
  readonly answer?: Answer
  readonly stages?: Readonly<Record<string, StageFunction>>
  readonly hasSink?: boolean
  readonly runsUserCode?: boolean
  readonly stageConcurrency?: number
  readonly stageBuffer?: number
  /** Names of its stages that are pure. */
  readonly pure?: readonly string[]
  readonly stageRetry?: RetryPolicies
  /** Deliveries per call of the sink. */
  readonly batch?: number
  readonly isRepeatable?: boolean
  readonly onCall?: (deliveries: readonly Delivery[]) => void
  /** Clients fetch from it: its sink is never called. */
  readonly batches?: BatchSettings
}

export type Answer = (delivery: Delivery) => Outcome | undefined | Promise<Outcome | undefined>

export async function engineWith(
  subscriptions: readonly Spec[],
  store: Store,
  isStarted = true,
  change: Partial<EngineSetup> = {},
) {
  const received = new Map<string, Delivery[]>()
  const setup: EngineSetup = {
    platform: nodePlatform,
    log,
    limits: {},
    retention: { whenPinned: 'keep' },
    dedupMs: 1e9,
    historyMs: 1e9,
    openStore: async () => store,
    sources: [],
    subscriptions: subscriptions.map(
      ({
        policy: p,
        answer,
        stages,
        hasSink = true,
        runsUserCode = false,
        stageConcurrency = 4,
        stageBuffer = 1,
        pure = [],
        batch = 1,
        isRepeatable,
        onCall,
        stageRetry,
        batches,
      }) => {
        received.set(p.name, [])
        return {
          policy: p,
          sinkName: 'test',
          batch,
          isPaused: false,
          runsUserCode,
          batches,
          createSink: () =>
            hasSink
              ? {
                  isRepeatable,
                  async deliver(deliveries: readonly Delivery[]) {
                    onCall?.(deliveries)
                    received.get(p.name)!.push(...deliveries)
                    const outcomes = []
                    for (const delivery of deliveries)
                      outcomes.push((await answer?.(delivery)) ?? { outcome: 'ack' as const })
                    return outcomes
                  },
                }
              : undefined,
          createStages: async () =>
            Object.entries(stages ?? {}).map(([name, process]) => ({
              name,
              stage: { process },
              concurrency: stageConcurrency,
              buffer: stageBuffer,
              isPure: pure.includes(name),
              retry: stageRetry,
              timeoutMs: undefined,
            })),
        }
      },
    ),
    keepAlive: () => () => undefined,
    createHandler: async () => () => Promise.reject(new Error('none')),
    ...change,
  }
  const engine = new Engine(setup)
  await (isStarted ? engine.start() : engine.open())
  return { engine, received, store }
}

export const event = (i: number, more: Partial<EventInput> = {}): EventInput => ({
  source: 'shop',
  id: `e${i}`,
  type: 'order.placed',
  data: { i },
  ...more,
})
export const events = (count: number, more?: Partial<EventInput>) =>
  Array.from({ length: count }, (_, i) => event(i, more))

export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (await check()) return
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  throw new Error('condition never came true')
}
