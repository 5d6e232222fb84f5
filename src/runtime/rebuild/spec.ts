import type { Sequence } from '../../core/event.ts'
import { rebuildLedger } from '../../core/ledger-name.ts'
import type { SubscriptionSpec } from '../setup.ts'

/** The lane of a rebuild: the subscription as it is now, under a name of its own, from the first event of its state. */
export function rebuildSpec(base: SubscriptionSpec, from: Sequence): SubscriptionSpec {
  const { policy } = base
  return {
    ...base,
    isPaused: false,
    policy: { ...policy, name: rebuildLedger(policy.name), start: { kind: 'sequence', sequence: from } },
    rebuildOf: policy.name,
  }
}
