import { Ledger } from '../core/ledger.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { RetryPolicies } from '../plugin/retry-setting.ts'
import type { PluginContext } from '../plugin/source.ts'
import { Calls } from './calls.ts'
import { KeptTimers } from './kept-timers.ts'
import { KeptValues } from './kept-values.ts'
import { Lane } from './lane.ts'
import type { LaneSurroundings } from './lane-setup.ts'
import { seeingStore } from './seeing-store.ts'
import type { SubscriptionSpec } from './setup.ts'

/** A lane of a subscription on its ledger: stages and sink are made, nothing is opened. */
export async function makeLane(
  spec: SubscriptionSpec,
  record: LedgerRecord,
  frontier: number,
  signal: AbortSignal,
  around: LaneSurroundings,
): Promise<Lane> {
  const { platform, log } = around
  const examined = record.follows ? Math.max(record.examined, frontier) : record.examined
  const context: PluginContext = { name: spec.policy.name, log, clock: platform.clock, signal }
  const ledger = new Ledger({ ...record, examined })
  const timers = new KeptTimers(() => lane)
  const keeping = {
    subscription: spec.policy.name,
    ledger,
    store: around.store,
    flush: () => around.settler().flush(),
    onDue: (dueAt: number) => timers.expect(dueAt),
    isNew: record.counters.matched === 0,
  }
  const lane: Lane = new Lane(
    {
      policy: spec.policy,
      ledger,
      timers,
      epoch: record.epoch,
      stages: (await spec.createStages()).map(({ name, stage, concurrency, buffer, timeoutMs, isPure, retry }) => ({
        name,
        stage,
        concurrency,
        buffer,
        // What it keeps is committed with the step, and a pure one has no commit.
        isPure: isPure && stage.keyOf === undefined,
        kept: stage.keyOf && new KeptValues(name, keeping),
        policy: retry ?? policyOfStages(spec.policy),
        calls: new Calls(platform, timeoutMs ?? spec.policy.timeoutMs),
      })),
      sink: spec.createSink(),
      sinkName: spec.sinkName,
      batch: spec.batch,
      batchWaitMs: spec.batchWaitMs,
      batches: spec.batches,
      runsUserCode: spec.runsUserCode,
      replay: spec.replay,
      rebuildOf: spec.rebuildOf,
      see: spec.see,
      gate: around.gate,
      context,
      digest: platform.digest,
    },
    spec.see === undefined ? around : { ...around, store: seeingStore(around.store, spec.see) },
  )
  return lane
}

/** A stage that returns `retry` is not ill: it may do so without end, unless it has a policy of its own. */
function policyOfStages({ retry, throwAttempts }: SubscriptionPolicy): RetryPolicies {
  return { retry: { ...retry, attempts: Number.POSITIVE_INFINITY }, throwAttempts }
}
