import { AppError } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import { compilePatterns } from '../core/match.ts'
import type { PipelinePlan, SubscriptionPlan } from '../plugin/pipeline-config.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import type { ExplainedDelivery, Explanation, Pipeline, SubscriptionStatus } from '../runtime/api.ts'
import { auditStore } from '../runtime/audit.ts'
import { explainDelivery } from '../runtime/explain.ts'
import { retiredStatus } from '../runtime/status.ts'

/**
 * A pipeline that can only be looked at: over a store that is open for reading, possibly beside the process that owns it.
 * Everything that would write throws `store-readonly`.
 */
export function readOnlyPipeline(store: Store, plan: PipelinePlan): Pipeline {
  const planned = new Map(plan.subscriptions.map((each) => [each.policy.name, each]))
  const refuse = async (): Promise<never> => {
    throw new AppError('store-readonly', 'nothing was changed: the store is open for reading only')
  }
  const subscriptions = async (): Promise<readonly SubscriptionStatus[]> => {
    const { records, frontier } = await ledgersOf(store)
    return records.map((record) => statusOf(record, frontier, store.head(), planned.get(record.subscription)))
  }
  const close = (): Promise<void> => store.close()
  return {
    store,
    reservedSources: new Set(),
    publish: refuse,
    ingest: refuse,
    emit: () => false,
    handler: refuse,
    stats: () => {
      throw new AppError('state-conflict', 'counters since the start are known to a running pipeline only')
    },
    health: async () => ({ ready: false, problems: ['the store is open for reading only'], loops: {} }),
    subscriptions,
    async subscription(name) {
      const found = (await subscriptions()).find((each) => each.name === name)
      if (found === undefined) throw unknown(name)
      return found
    },
    pause: refuse,
    resume: refuse,
    async dead(name, query) {
      const { records } = await ledgersOf(store)
      if (!records.some(({ subscription }) => subscription === name)) throw unknown(name)
      return store.dead(name, query)
    },
    redrive: refuse,
    discard: refuse,
    drop: refuse,
    explain: (sequence, subscription) => explain(store, planned, sequence, subscription),
    audit: () => auditStore(store),
    open: async () => undefined,
    start: refuse,
    stop: close,
    idle: async () => undefined,
    [Symbol.asyncDispose]: close,
  } as Pipeline
}

async function ledgersOf(
  store: Store,
): Promise<{ readonly records: readonly LedgerRecord[]; readonly frontier: number }> {
  const all = await store.ledgers()
  const records = all.filter(({ subscription }) => subscription !== frontierLedger)
  const frontier = all.find(({ subscription }) => subscription === frontierLedger)?.examined ?? 0
  return { records: records.sort((a, b) => (a.subscription < b.subscription ? -1 : 1)), frontier }
}

function statusOf(
  record: LedgerRecord,
  frontier: number,
  head: number,
  plan: SubscriptionPlan | undefined,
): SubscriptionStatus {
  const status = retiredStatus(record, frontier, head)
  if (plan === undefined) return status
  const { match, from } = plan.policy
  return { ...status, state: record.state, reason: record.reason, sink: plan.sink?.declaration.name, match, from }
}

async function explain(
  store: Store,
  planned: ReadonlyMap<string, SubscriptionPlan>,
  sequence: number,
  subscription: string | undefined,
): Promise<Explanation> {
  const { records, frontier } = await ledgersOf(store)
  const wanted = records.filter((record) => subscription === undefined || record.subscription === subscription)
  if (subscription !== undefined && wanted.length === 0) throw unknown(subscription)
  const [event] = await store.readMany([sequence])
  const deliveries: ExplainedDelivery[] = []
  for (const record of wanted) {
    const delivery = await explainDelivery(store, record, sequence, event, frontier)
    const plan = planned.get(record.subscription)
    deliveries.push(plan === undefined ? delivery : withPlan(delivery, record, plan, event))
  }
  if (event === undefined) return { sequence, deliveries }
  const { source, id, type, subject, time, recordedtime } = event
  return { sequence, event: { source, id, type, subject, time, recordedtime }, deliveries }
}

/** What the stored ledger alone does not know: what the subscription looks for, and that it goes on when it runs. */
function withPlan(
  delivery: ExplainedDelivery,
  record: LedgerRecord,
  plan: SubscriptionPlan,
  event: Event | undefined,
): ExplainedDelivery {
  const checks = event === undefined ? [] : checksOf(plan, event)
  const failed = checks.filter(({ matched }) => !matched).map(({ check, value }) => `${check} did not match ${value}`)
  const isFiltered = delivery.state === 'filtered' && failed.length > 0
  const isOpen = ['unexamined', 'pending', 'waiting', 'leased'].includes(delivery.state)
  return {
    ...delivery,
    checks,
    reason: isFiltered ? failed.join('; ') : delivery.reason,
    next: isOpen ? nextOf(delivery, record) : delivery.next,
  }
}

function nextOf({ dueAt }: ExplainedDelivery, { state, reason }: LedgerRecord): string {
  if (state !== 'running') return `nothing while the subscription is ${state}: ${reason ?? 'until it is resumed'}`
  return dueAt === undefined ? 'delivered while the pipeline runs' : `tried again at ${dueAt}, while the pipeline runs`
}

function checksOf(
  { policy }: SubscriptionPlan,
  { source, type }: { readonly source: string; readonly type: string },
): ExplainedDelivery['checks'] {
  return [
    ...(policy.from ?? []).map((from) => ({ check: `from ${from}`, value: source, matched: from === source })),
    ...policy.match.map((match) => ({
      check: `match ${match}`,
      value: type,
      matched: compilePatterns([match])(type),
    })),
  ]
}

function unknown(name: string): AppError {
  return new AppError(
    'subscription-unknown',
    `the store has no subscription ${JSON.stringify(name)}: "millrace subscriptions" lists them`,
  )
}
