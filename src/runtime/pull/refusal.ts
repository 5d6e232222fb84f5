import { AppError } from '../../core/errors.ts'
import type { Refused, RefusedBecause } from '../../core/lease.ts'

const why: Readonly<Record<Exclude<RefusedBecause, 'unknown'>, string>> = {
  receipt: 'this is not its receipt; use the one that came with the batch',
  again: 'part of it was offered again or given up; what another client has now, that one confirms',
  expired: 'its deadline has passed, and its events are offered again; it can only be confirmed, until they are',
  released: 'all of it was given back; fetch again',
  confirmed: 'all of it is confirmed; there is nothing left to do',
  loose: 'it was fetched without a lease, so there is nothing to give back or to prolong; confirm it, or leave it',
}

/** How many sequences an answer lists. */
const mostListed = 1000

/** What a client is told whose receipt does nothing. Nothing was changed. */
export function refusal(subscription: string, batch: string, { because, elsewhere }: Refused): AppError {
  if (because === 'unknown') {
    return new AppError(
      'batch-unknown',
      `subscription ${subscription} has no batch of this name, or it ended more than a day ago: fetch again`,
    )
  }
  return new AppError('receipt-stale', `batch ${batch} of ${subscription} is as it was: ${why[because]}`, {
    facts: { because, ...(elsewhere.length > 0 && { elsewhere: elsewhere.slice(0, mostListed) }) },
  })
}
