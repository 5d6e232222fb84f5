import { AppError } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import { isSubscriptionLedger } from '../core/ledger-name.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { Where } from '../core/plan.ts'
import { readLedgerName } from '../core/replay-name.ts'
import { hasLedger, type PipelinePlan, type SubscriptionPlan } from '../plugin/pipeline-config.ts'
import { nodePlatform } from '../plugin/platform.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import type { ExplainedDelivery, Explanation, Pipeline, SubscriptionStatus } from '../runtime/api.ts'
import { auditStore } from '../runtime/audit.ts'
import { checksOf, explainDelivery, failedIn, type LooksFor } from '../runtime/explain.ts'
import { countReplay, replaysAtRest } from '../runtime/replay/at-rest.ts'
import { listStored } from '../runtime/run-time/stored.ts'
import { stagesAtRest, stateAtRest } from '../runtime/state/at-rest.ts'
import { retiredStatus } from '../runtime/status.ts'
import { readStream, versionUntil } from '../runtime/streams/read.ts'
import { readForPeople } from '../runtime/unreadable.ts'
import { createUpcasting } from '../runtime/upcasting.ts'

/**
 * A pipeline that can only be looked at: over a store that is open for reading, possibly beside the process that owns it.
 * Everything that would write throws `store-readonly`.
 */
export function readOnlyPipeline(store: Store, plan: PipelinePlan): Pipeline {
  const configured = new Map(plan.subscriptions.map((each) => [each.policy.name, shapeOf(each)]))
  const known = async (): Promise<ReadonlyMap<string, Shape>> => new Map([...(await madeShapes(store)), ...configured])
  const wheres = new Map(plan.subscriptions.map(({ policy }) => [policy.name, policy.where]))
  const subscriptions = async (): Promise<readonly SubscriptionStatus[]> => {
    const { records, frontier } = await ledgersOf(store)
    const planned = await known()
    const own = records.filter(({ subscription }) => isSubscriptionLedger(subscription))
    return own.map((record) => statusOf(record, frontier, store.head(), planned.get(record.subscription)))
  }
  const close = (): Promise<void> => store.close()
  const see = createUpcasting(plan.schemas)
  return {
    ...refused,
    store,
    reservedSources: new Set(),
    readStream: (stream, options = {}) => readStream(store, see, stream, options),
    streamVersion: (stream, until) => versionUntil(store, stream, until),
    snapshots: { read: async () => undefined, write: async () => undefined },
    emit: () => false,
    countRefused: () => undefined,
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
    view: () => {
      throw new AppError('state-conflict', 'a stream of events is served by a running pipeline only')
    },
    batches: () => {
      throw new AppError('state-conflict', 'batches are given out by a running pipeline only')
    },
    async dead(name, query) {
      const { records } = await ledgersOf(store)
      if (!records.some(({ subscription }) => subscription === name)) throw unknown(name)
      return store.dead(name, query)
    },
    eventSchemas: plan.schemas,
    async dryRunReplay(name, options, signal) {
      const found = plan.subscriptions.find((each) => each.policy.name === name && hasLedger(each))
      if (found === undefined) throw unknown(name)
      const see = createUpcasting(plan.schemas, found.policy.pins)
      return countReplay({ store, platform: nodePlatform }, { policy: found.policy, see }, options, signal)
    },
    async replays(name) {
      const all = await replaysAtRest(store)
      return name === undefined ? all : all.filter(({ subscription }) => subscription === name)
    },
    async replayStatus(name, id) {
      const found = (await replaysAtRest(store)).find((each) => each.subscription === name && each.id === id)
      if (found === undefined) throw new AppError('not-found', `there is no replay ${id} of subscription ${name}`)
      return found
    },
    rebuildStatus: () => undefined,
    rebuilt: async () => undefined,
    state: <Value>(name: string, stage?: string) => stateAtRest<Value>(store, name, stage),
    stateStages: (name) => stagesAtRest(store, name),
    explain: async (sequence, subscription) => explain(store, await known(), wheres, sequence, subscription),
    audit: () => auditStore(store),
    open: async () => undefined,
    stop: close,
    idle: async () => undefined,
    [Symbol.asyncDispose]: close,
  } as Pipeline
}

const refuse = async (): Promise<never> => {
  throw new AppError('store-readonly', 'nothing was changed: the store is open for reading only')
}

/** What changes something. */
const changing = [
  'publish',
  'ingest',
  'receive',
  'append',
  'appendRecords',
  'handler',
  'pause',
  'resume',
  'redrive',
  'redriveQuarantined',
  'discard',
  'drop',
  'subscribe',
  'unsubscribe',
  'configOf',
  'rotateSecret',
  'testDelivery',
  'rotateSecretKey',
  'replay',
  'controlReplay',
  'rebuild',
  'controlRebuild',
  'start',
  'run',
] as const satisfies readonly (keyof Pipeline)[]
const refused = Object.fromEntries(changing.map((name) => [name, refuse])) as Readonly<
  Record<(typeof changing)[number], typeof refuse>
>

/** What is said of a subscription beside its ledger. */
type Shape = Pick<SubscriptionStatus, 'sink' | 'match' | 'from' | 'origin' | 'version'>

function shapeOf({ policy: { match, from }, sink }: SubscriptionPlan): Shape {
  return { sink: sink?.declaration.name, match, from, origin: 'file' }
}

/** Those that were made while the pipeline ran, as they are stored: nothing of them has to be opened. */
async function madeShapes(store: Store): Promise<[string, Shape][]> {
  return (await listStored(store)).map(([name, { config, version }]) => {
    const {
      match = ['*'],
      from,
      sink,
    } = config as {
      readonly match?: readonly string[]
      readonly from?: readonly string[]
      readonly sink?: { readonly type?: string }
    }
    return [name, { sink: sink?.type, match, from, origin: 'api', version }]
  })
}

async function ledgersOf(
  store: Store,
): Promise<{ readonly records: readonly LedgerRecord[]; readonly frontier: number }> {
  const all = await store.ledgers()
  const records = all.filter(({ subscription }) => subscription !== frontierLedger)
  const frontier = all.find(({ subscription }) => subscription === frontierLedger)?.examined ?? 0
  return { records: records.sort((a, b) => (a.subscription < b.subscription ? -1 : 1)), frontier }
}

function statusOf(record: LedgerRecord, frontier: number, head: number, shape: Shape | undefined): SubscriptionStatus {
  const status = retiredStatus(record, frontier, head)
  return shape === undefined ? status : { ...status, state: record.state, reason: record.reason, ...shape }
}

async function explain(
  store: Store,
  planned: ReadonlyMap<string, Shape>,
  wheres: ReadonlyMap<string, Where | undefined>,
  sequence: number,
  subscription: string | undefined,
): Promise<Explanation> {
  const { records, frontier } = await ledgersOf(store)
  const wanted = records.filter(({ subscription: name }) => {
    return subscription === undefined || name === subscription || readLedgerName(name).subscription === subscription
  })
  if (subscription !== undefined && wanted.length === 0) throw unknown(subscription)
  const { event, unreadable } = await readForPeople(store, sequence)
  const deliveries: ExplainedDelivery[] = []
  for (const record of wanted) {
    const delivery = await explainDelivery(store, record, sequence, event, frontier)
    // What a replay left out is no news.
    if (delivery.replay !== undefined && record.subscription !== subscription && !isPartOf(delivery)) continue
    const plan = planned.get(delivery.subscription)
    const where = wheres.get(delivery.subscription)
    deliveries.push(plan === undefined ? delivery : withPlan(delivery, record, { ...plan, where }, event))
  }
  if (event === undefined) return { sequence, unreadable, deliveries }
  const { source, id, type, subject, time, recordedtime } = event
  return { sequence, event: { source, id, type, subject, time, recordedtime }, deliveries }
}

function isPartOf({ state }: ExplainedDelivery): boolean {
  return state !== 'filtered' && state !== 'before-start' && state !== 'unexamined'
}

/** What the stored ledger alone does not know: what the subscription looks for, and that it goes on when it runs. */
function withPlan(
  delivery: ExplainedDelivery,
  record: LedgerRecord,
  plan: LooksFor,
  event: Event | undefined,
): ExplainedDelivery {
  const checks = event === undefined ? [] : checksOf(plan, event)
  const failed = delivery.state === 'filtered' ? failedIn(checks) : undefined
  const isOpen = ['unexamined', 'pending', 'waiting', 'leased'].includes(delivery.state)
  return {
    ...delivery,
    checks,
    reason: failed ?? delivery.reason,
    next: isOpen ? nextOf(delivery, record) : delivery.next,
  }
}

function nextOf({ dueAt }: ExplainedDelivery, { state, reason }: LedgerRecord): string {
  if (state !== 'running') return `nothing while the subscription is ${state}: ${reason ?? 'until it is resumed'}`
  return dueAt === undefined ? 'delivered while the pipeline runs' : `tried again at ${dueAt}, while the pipeline runs`
}

function unknown(name: string): AppError {
  return new AppError(
    'subscription-unknown',
    `the store has no subscription ${JSON.stringify(name)}: "millrace subscriptions" lists them`,
  )
}
