import type { Sequence } from '../core/event.ts'
import { Ledger } from '../core/ledger.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { OwnedLedger } from './settler.ts'

/** The ledger of the frontier: it is where those stand that keep up. */
export function ownFrontier(record: LedgerRecord, position: () => Sequence): OwnedLedger {
  const ledger = new Ledger(record)
  const align = (): void => {
    ledger.examined = position()
  }
  return { name: record.subscription, epoch: record.epoch, commit: record.commit, ledger, align }
}
