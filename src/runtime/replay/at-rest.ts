import type { Platform } from '../../core/platform.ts'
import type { Store } from '../../plugin/store.ts'
import { dryRun } from './dry-run.ts'
import type { ReplayDryRun, ReplayOptions, ReplayStatus } from './face.ts'
import { Job, replayStateOf } from './job.ts'
import { checkOptions, rangeOf, rateOf } from './range.ts'
import type { Replayed } from './selection.ts'
import { listReplays } from './stored.ts'

/** The replays of a store that somebody only looks at, as their ledgers are stored; the newest first. */
export async function replaysAtRest(store: Store): Promise<readonly ReplayStatus[]> {
  const records = new Map((await store.ledgers()).map((record) => [record.subscription, record]))
  const found = (await listReplays(store)).map((stored): ReplayStatus => {
    const job = new Job(stored)
    const record = records.get(job.ledgerName)
    if (record !== undefined) job.keep(record)
    const status = job.status(0)
    if (record === undefined || job.hasEnded) return status
    return { ...status, state: replayStateOf(record.state), reason: record.reason }
  })
  return found.sort((a, b) => (a.id < b.id ? 1 : -1))
}

/** Counts what a replay would deliver, by the policy of its subscription. */
export async function countReplay(
  around: { readonly store: Store; readonly platform: Platform },
  replayed: Replayed,
  options: ReplayOptions,
  signal: AbortSignal | undefined,
): Promise<ReplayDryRun> {
  const { policy } = replayed
  checkOptions(policy.name, options)
  rateOf(policy.name, options.rate, policy)
  return dryRun(around, replayed, options, await rangeOf(around.store, policy.name, options), signal)
}
