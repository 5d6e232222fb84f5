import type { PipelineStats, SubscriptionStatus, ViewCounters } from '../runtime/api.ts'
import type { StepStats } from '../runtime/step-counts.ts'

/** What metrics say of one subscription, or of many together. */
export interface Measured {
  readonly name: string
  readonly counters: Readonly<Record<string, number>>
  readonly lag: number
  readonly open: number
  readonly oldestAgeSeconds: number
  /** How many are in each state. */
  readonly states: Readonly<Record<string, number>>
  readonly view: ViewCounters | undefined
  readonly tap: SubscriptionStatus['tap']
  readonly stages: readonly MeasuredStage[]
}

/** What can be added up of a stage. */
type MeasuredStage = Omit<StepStats, 'perItemMs'>

/** The name under which all are counted that were made while the pipeline ran; no subscription can have it. */
const madeName = '(api)'

/**
 * One for each subscription of the configuration. Those that were made while the pipeline ran belong to customers, and there
 * may be thousands: they are one series, so that the number of series is bounded by the configuration (SEC-82).
 */
export function measured({ subscriptions }: Pick<PipelineStats, 'subscriptions'>): readonly Measured[] {
  const all = Object.entries(subscriptions)
  const single = all.filter(([, { origin }]) => origin !== 'api').map(([name, status]) => one(name, status))
  const made = all.filter(([, { origin }]) => origin === 'api').map(([, status]) => one(madeName, status))
  const lanes = made.filter(({ view }) => view === undefined)
  const views = made.filter(({ view }) => view !== undefined)
  return [...single, ...folded(lanes), ...folded(views)]
}

function one(name: string, status: SubscriptionStatus): Measured {
  const { counters, lag, open, oldestAgeSeconds, state, view, tap, stages = [] } = status
  return {
    name,
    counters: { ...counters },
    lag,
    open,
    oldestAgeSeconds,
    states: { [state]: 1 },
    view,
    tap,
    stages: stages.map(({ perItemMs: _, ...rest }) => rest),
  }
}

function folded(all: readonly Measured[]): Measured[] {
  const [first] = all
  if (first === undefined) return []
  const views = all.flatMap(({ view }) => view ?? [])
  return [
    {
      ...first,
      counters: sum(all.map(({ counters }) => counters)),
      lag: most(all.map(({ lag }) => lag)),
      open: all.reduce((total, { open }) => total + open, 0),
      oldestAgeSeconds: most(all.map(({ oldestAgeSeconds }) => oldestAgeSeconds)),
      states: sum(all.map(({ states }) => states)),
      view: views.length === 0 ? undefined : (sum(views.map((view) => ({ ...view }))) as unknown as ViewCounters),
      stages: foldedStages(all.flatMap(({ stages }) => stages)),
    },
  ]
}

function foldedStages(all: readonly MeasuredStage[]): MeasuredStage[] {
  return [...Map.groupBy(all, ({ name }) => name)].map(([name, each]) => {
    const numbers = sum(each.map(({ name: _, ...rest }) => rest))
    return { ...(numbers as unknown as Omit<MeasuredStage, 'name'>), name }
  })
}

function most(values: readonly number[]): number {
  return values.reduce((highest, value) => Math.max(highest, value), 0)
}

function sum(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total = new Map<string, number>()
  for (const each of all)
    for (const [name, value] of Object.entries(each)) total.set(name, (total.get(name) ?? 0) + value)
  return Object.fromEntries(total)
}

/** The replays of each subscription that has some; of those that were made while the pipeline ran, together. */
export function measuredReplays({
  subscriptions,
  replays,
}: Pick<PipelineStats, 'subscriptions' | 'replays'>): PipelineStats['replays'] {
  const all: Record<string, PipelineStats['replays'][string]> = {}
  for (const [name, each] of Object.entries(replays)) {
    const label = subscriptions[name]?.origin === 'api' ? madeName : name
    const so = all[label] ?? { running: 0, paused: 0, failed: 0, remaining: 0 }
    all[label] = {
      running: so.running + each.running,
      paused: so.paused + each.paused,
      failed: so.failed + each.failed,
      remaining: so.remaining + each.remaining,
    }
  }
  return all
}
