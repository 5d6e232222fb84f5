import { AppError } from '../core/errors.ts'
import type { Sequence } from '../core/event.ts'
import { isSubscriptionLedger } from '../core/ledger-name.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import { compilePatterns } from '../core/match.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import { changesOf, type StoredFacts, type SubscriptionChange, type SubscriptionShape } from './changes.ts'
import { startAt } from './open-ledgers.ts'
import { listStored } from './run-time/stored.ts'

/** Where the store remembers what was configured at the last start: beside the state of sources, under a name none can have. */
const place = { source: frontierLedger, key: 'subscriptions' } as const
const pageSize = 5000

/** A subscription as configured. */
export interface Configured {
  readonly policy: SubscriptionPolicy
  readonly stages: readonly string[]
  readonly sink: string | undefined
}

/** What a start writes down of a subscription. */
function shapeOf({ policy, stages, sink }: Configured): SubscriptionShape {
  const { from, match, ordering } = policy
  return { from, match, ordering, stages, sink }
}

type Shapes = ReadonlyMap<string, SubscriptionShape>

/** What was configured at the last start; undefined for a store that no start has written it to. */
async function readShapes(store: Store): Promise<Shapes | undefined> {
  const text = await store.state.get(place.source, place.key)
  if (text === undefined) return undefined
  try {
    return new Map(Object.entries(JSON.parse(text) as Record<string, SubscriptionShape>))
  } catch {
    // Only what is said about changes depends on it.
    return undefined
  }
}

/** Remembers what is configured now, when it is not what is there. */
export async function writeShapes(store: Store, configured: readonly Configured[]): Promise<void> {
  const text = JSON.stringify(Object.fromEntries(configured.map((each) => [each.policy.name, shapeOf(each)])))
  if ((await store.state.get(place.source, place.key)) !== text) await store.state.set(place.source, place.key, text)
}

/**
 * What a configuration changes for the deliveries of a store, in order of subscription. Reads only.
 * `isThorough` also looks at every open delivery; without it only where a stage is known to be gone.
 */
export async function compareWithStore(
  store: Store,
  configured: readonly Configured[],
  records: readonly LedgerRecord[],
  isThorough: boolean,
): Promise<readonly SubscriptionChange[]> {
  const frontier = records.find(({ subscription }) => subscription === frontierLedger)?.examined ?? 0
  const stored = new Map(records.map((record) => [record.subscription, record]))
  for (const name of stored.keys()) if (name === frontierLedger || !isSubscriptionLedger(name)) stored.delete(name)
  const wanted = new Map(configured.map((each) => [each.policy.name, each]))
  const shapes = await readShapes(store)
  const changes: SubscriptionChange[] = []
  // What is made while the pipeline runs is no matter of the configuration, unless both use one name.
  for (const [name] of await listStored(store)) {
    if (wanted.has(name)) changes.push(doubleName(name))
    else stored.delete(name)
  }
  for (const name of [...new Set([...stored.keys(), ...wanted.keys()])].sort()) {
    const [record, each, last] = [stored.get(name), wanted.get(name), shapes?.get(name)]
    const hasLostStage = last?.stages.some((stage) => each !== undefined && !each.stages.includes(stage)) ?? false
    changes.push(
      ...changesOf({
        name,
        last,
        isLastKnown: shapes !== undefined,
        configured: each === undefined ? undefined : shapeOf(each),
        begins: each === undefined || record !== undefined ? undefined : await startAt(store, each.policy),
        stored:
          record === undefined
            ? undefined
            : await factsOf(store, record, frontier, each?.policy, isThorough, isThorough || hasLostStage),
      }),
    )
  }
  return changes
}

function doubleName(subscription: string): SubscriptionChange {
  const message =
    'is in the configuration, and one of this name was made while the pipeline ran: that one is not at work any more, and this one takes over its place'
  return { subscription, kind: 'made', severity: 'problem', message }
}

async function factsOf(
  store: Store,
  record: LedgerRecord,
  frontier: Sequence,
  policy: SubscriptionPolicy | undefined,
  looksAtEvents: boolean,
  looksAtRows: boolean,
): Promise<StoredFacts> {
  const examined = record.follows ? Math.max(record.examined, frontier) : record.examined
  const { state, reason } = record
  const open = record.openRows + record.pending.length
  const facts = { examined, lag: Math.max(0, store.head() - examined), open, state, reason }
  const doneBy = new Map<string, number>()
  if (open === 0 || policy === undefined || !looksAtRows) return { ...facts, doneBy, held: 0 }
  const sequences = [...record.pending]
  for (let after: Sequence = 0; ; ) {
    const page = await store.rows(record.subscription, { after, limit: pageSize })
    for (const { sequence, done } of page) {
      sequences.push(sequence)
      for (const stage of done) doneBy.set(stage, (doneBy.get(stage) ?? 0) + 1)
    }
    if (page.length < pageSize) break
    after = page.at(-1)!.sequence
  }
  const held = (await store.held(record.subscription)).flatMap((row) => row.sequences)
  sequences.push(...held)
  const unmatched = looksAtEvents ? await countUnmatched(store, sequences, policy) : undefined
  return { ...facts, doneBy, held: held.length, unmatched }
}

async function countUnmatched(
  store: Store,
  sequences: readonly Sequence[],
  { match, from }: SubscriptionPolicy,
): Promise<number> {
  const isType = compilePatterns(match)
  let count = 0
  for (let at = 0; at < sequences.length; at += pageSize) {
    const events = await readable(store, sequences.slice(at, at + pageSize))
    for (const { type, source } of events) if (!isType(type) || !(from?.includes(source) ?? true)) count += 1
  }
  return count
}

/** Damaged events are not what this is about: the pages that hold one are left out. */
async function readable(store: Store, sequences: readonly Sequence[]) {
  try {
    return await store.readMany(sequences)
  } catch (error) {
    if (error instanceof AppError && error.code === 'store-corrupt') return []
    throw error
  }
}
