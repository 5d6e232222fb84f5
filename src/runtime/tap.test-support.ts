import type { Outcome } from '../core/outcome.ts'
import { bestEffortRetry } from '../core/retry.ts'
import type { Delivery, SinkContext } from '../plugin/sink.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform, type VirtualPlatform } from '../testing/virtual-platform.ts'
import { engineWith, policy } from './engine-fixture.test-support.ts'
import type { TapSpec } from './setup.ts'

type Deliver = (delivery: Delivery, context: SinkContext) => Outcome | undefined | Promise<Outcome | undefined>

interface TapOptions {
  readonly buffer?: number
  readonly policy?: Parameters<typeof policy>[1]
  readonly deliver?: Deliver
  readonly see?: TapSpec['see']
}

/** A pipeline in virtual time with a durable subscription and these best-effort ones. */
export async function tapped(taps: Readonly<Record<string, TapOptions>>, isStarted = true) {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  const got: Record<string, Delivery[]> = {}
  const closed: string[] = []
  const warnings: string[] = []
  const log = { debug() {}, info() {}, warn: (message: string) => void warnings.push(message), error() {} }
  const specs = Object.entries(taps).map(([name, options]) => {
    got[name] = []
    return {
      policy: policy(name, { retry: { ...bestEffortRetry, jitter: 0 }, concurrency: 1, ...options.policy }),
      sinkName: 'test',
      buffer: options.buffer ?? 1000,
      see: options.see,
      createSink: () => ({
        async deliver([delivery]: readonly Delivery[], context: SinkContext) {
          got[name]!.push(delivery!)
          const outcome = await options.deliver?.(delivery!, context)
          return outcome && [outcome]
        },
        close: () => void closed.push(name),
      }),
    }
  })
  const made = await engineWith([{ policy: policy('durable') }], store, false, { platform, log, taps: specs })
  if (isStarted) await made.engine.start()
  const counters = (name: string) => made.engine.stats().subscriptions[name]!.tap!
  return { ...made, platform, got, closed, warnings, counters }
}

/** Lets time pass until it has stopped; answers how much of it. */
export async function stopped(platform: VirtualPlatform, stopping: Promise<void>): Promise<number> {
  const begun = platform.clock.now()
  let isDone = false
  void stopping.then(() => {
    isDone = true
  })
  for (let i = 0; i < 500 && !isDone; i++) await platform.advance(50)
  await stopping
  return platform.clock.now() - begun
}
