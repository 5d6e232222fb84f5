import type { Sequence } from '../core/event.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { Store } from '../plugin/store.ts'

/**
 * What clients have must be open, and with one of them: every delivery of a batch is pending or has a row, and none is in two
 * batches, but for those that were fetched without a lease.
 */
export async function auditBatches(
  store: Store,
  { subscription, pending }: LedgerRecord,
  examined: Sequence,
): Promise<string[]> {
  const offered = (await store.batches(subscription)).filter((row) => row.kind === 'offered')
  const leased = offered.filter(({ state }) => state !== 'loose')
  if (leased.length === 0) return []
  const problems: string[] = []
  const open = new Set(pending)
  const holders = new Map<Sequence, string>()
  const unknown: Sequence[] = []
  for (const { batch, sequences, counts } of leased) {
    if (sequences.length === 0 || sequences.length !== counts.length)
      problems.push(`batch ${batch} has ${sequences.length} events and ${counts.length} counts`)
    for (const sequence of sequences) {
      const holder = holders.get(sequence)
      if (holder !== undefined) problems.push(`event ${sequence} is in batch ${holder} and in batch ${batch}`)
      holders.set(sequence, batch)
      if (!open.has(sequence) && sequence <= examined) unknown.push(sequence)
    }
  }
  for (let at = 0; at < unknown.length; at += 500) {
    const page = unknown.slice(at, at + 500)
    const rows = new Set(
      (await store.rows(subscription, { sequences: page, limit: page.length })).map(({ sequence }) => sequence),
    )
    for (const sequence of page)
      if (!rows.has(sequence)) problems.push(`event ${sequence} is in batch ${holders.get(sequence)} and is not open`)
  }
  return problems
}
