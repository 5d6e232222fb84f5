import type { Sequence } from '../core/event.ts'
import type { StoredLedgerState } from '../core/ledger-state.ts'
import type { Ordering } from '../core/plan.ts'

/** What a configuration says of a subscription, as far as its open deliveries depend on it. */
export interface SubscriptionShape {
  readonly from?: readonly string[] | undefined
  readonly match: readonly string[]
  readonly ordering: Ordering
  /** Names, in order. */
  readonly stages: readonly string[]
  readonly sink?: string | undefined
}

/** What the store holds of a subscription. */
export interface StoredFacts {
  readonly examined: Sequence
  /** Events after `examined`. */
  readonly lag: number
  readonly open: number
  readonly state: StoredLedgerState
  readonly reason?: string | undefined
  /** Open deliveries that have done a stage, by its name. */
  readonly doneBy: ReadonlyMap<string, number>
  /** Open deliveries that wait behind another one of their key. */
  readonly held: number
  /** Open deliveries that the configured `match` and `from` would not take; undefined when nobody looked. */
  readonly unmatched?: number | undefined
}

/** `problem`: deliveries stop, or are worked on twice, unless somebody acts. `note`: nothing to do. */
export const severities = ['note', 'warning', 'problem'] as const
export type Severity = (typeof severities)[number]

/** What a configuration changes for one subscription of a store. */
export interface SubscriptionChange {
  readonly subscription: string
  readonly kind: 'new' | 'retired' | 'back' | 'state' | 'reads' | 'stages' | 'ordering' | 'sink' | 'made'
  readonly severity: Severity
  readonly message: string
}

/** One subscription, before and after. Absent parts: not configured, not in the store, not configured at the last start. */
export interface Compared {
  readonly name: string
  readonly configured?: SubscriptionShape | undefined
  readonly stored?: StoredFacts | undefined
  readonly last?: SubscriptionShape | undefined
  /** Whether it is known what was configured at the last start. */
  readonly isLastKnown: boolean
  /** Where a new one begins: after this sequence. */
  readonly begins?: Sequence | undefined
}

type Change = Omit<SubscriptionChange, 'subscription'>

/** What happens to a subscription when the pipeline starts with this configuration. */
export function changesOf(compared: Compared): SubscriptionChange[] {
  return changesIn(compared).map((change) => ({ subscription: compared.name, ...change }))
}

function changesIn({ configured, stored, last, isLastKnown, begins }: Compared): Change[] {
  if (stored === undefined) {
    if (configured === undefined) return []
    return [{ kind: 'new', severity: 'note', message: `is new: it begins after event ${begins ?? 0}` }]
  }
  if (configured === undefined) return [retired(stored, last, isLastKnown)]
  const found: Change[] = []
  if (last === undefined && isLastKnown) found.push(back(stored))
  if (stored.state !== 'running') {
    const why = stored.reason === undefined ? '' : `: ${stored.reason}`
    found.push({ kind: 'state', severity: 'note', message: `stays ${stored.state}${why}` })
  }
  return [
    ...found,
    ...readsChange(configured, last, stored),
    ...stageChanges(configured, last, stored),
    ...orderingChange(configured, last, stored),
    ...sinkChange(configured, last, stored),
  ]
}

function retired(
  { open, lag, examined }: StoredFacts,
  last: SubscriptionShape | undefined,
  isLastKnown: boolean,
): Change {
  const waits = `${counted(open, 'open delivery', 'open deliveries')} and ${counted(lag, 'event')} not yet examined`
  const pins = `it keeps its place after event ${examined} and holds back retention until it is back or dropped (millrace subscriptions drop NAME)`
  const isNews = last !== undefined || !isLastKnown
  if (open === 0 && lag === 0)
    return { kind: 'retired', severity: 'warning', message: `is not in the configuration: ${pins}` }
  return {
    kind: 'retired',
    severity: isNews ? 'problem' : 'warning',
    message: `is not in the configuration: ${waits} stay undelivered; ${pins}`,
  }
}

function back({ examined, lag, open }: StoredFacts): Change {
  return {
    kind: 'back',
    severity: 'note',
    message: `is in the configuration again: it goes on after event ${examined}, with ${counted(open, 'open delivery', 'open deliveries')} and ${counted(lag, 'event')} to examine; its start is not looked at`,
  }
}

function readsChange(
  configured: SubscriptionShape,
  last: SubscriptionShape | undefined,
  stored: StoredFacts,
): Change[] {
  const hasChanged = last !== undefined && readsOf(last) !== readsOf(configured)
  const unmatched = stored.unmatched ?? 0
  if (!hasChanged && unmatched === 0) return []
  const was = hasChanged ? ` (was ${readsOf(last)})` : ''
  const stay =
    unmatched > 0
      ? `${counted(unmatched, 'open delivery', 'open deliveries')} that it would not take any more ${unmatched === 1 ? 'stays and is' : 'stay and are'} delivered`
      : 'open deliveries stay'
  return [
    {
      kind: 'reads',
      severity: 'note',
      message: `reads ${readsOf(configured)}${was} from event ${stored.examined + 1} on; ${stay}`,
    },
  ]
}

function readsOf({ match, from }: SubscriptionShape): string {
  return `${match.length === 0 ? 'nothing' : match.join(', ')} from ${from === undefined ? 'any source' : from.join(', ')}`
}

function stageChanges(
  configured: SubscriptionShape,
  last: SubscriptionShape | undefined,
  stored: StoredFacts,
): Change[] {
  const known = new Set(configured.stages)
  const gone = [...new Set([...(last?.stages ?? []), ...stored.doneBy.keys()])].filter((name) => !known.has(name))
  const added = last === undefined ? [] : configured.stages.filter((name) => !last.stages.includes(name))
  const changes = gone.flatMap((name) => goneStage(name, added, configured, stored))
  if (added.length > 0 && stored.open > 0)
    changes.push({
      kind: 'stages',
      severity: 'note',
      message: `stage ${added.join(', ')} is new: open deliveries that have not reached the sink run it too`,
    })
  return changes
}

function goneStage(
  name: string,
  added: readonly string[],
  configured: SubscriptionShape,
  { doneBy, open }: StoredFacts,
): Change[] {
  const done = doneBy.get(name) ?? 0
  if (done === 0) {
    if (open === 0) return []
    return [{ kind: 'stages', severity: 'note', message: `stage ${name} is gone: open deliveries go on without it` }]
  }
  const who = `${counted(done, 'open delivery has', 'open deliveries have')} done it`
  if (added.length > 0)
    return [
      {
        kind: 'stages',
        severity: 'problem',
        message: `stage ${name} is gone and ${added.join(', ')} is new: ${who} and would run ${added.join(', ')} as well. If it was renamed, give it its old name until they are settled`,
      },
    ]
  const left = configured.stages.length === 0 ? 'the sink' : 'the stages that are left'
  return [
    {
      kind: 'stages',
      severity: 'warning',
      message: `stage ${name} is gone: ${who}; they keep its context and go on with ${left}`,
    },
  ]
}

function orderingChange(
  configured: SubscriptionShape,
  last: SubscriptionShape | undefined,
  { held }: StoredFacts,
): Change[] {
  const isReleased = configured.ordering === 'none' && held > 0
  if (!isReleased && (last === undefined || last.ordering === configured.ordering)) return []
  const was = last === undefined ? '' : ` (was ${last.ordering})`
  const what = isReleased
    ? `${counted(held, 'delivery', 'deliveries')} that waited for an earlier one of the same key ${held === 1 ? 'is' : 'are'} delivered without order`
    : 'open deliveries keep the key they were matched with'
  return [{ kind: 'ordering', severity: 'note', message: `ordering is ${configured.ordering}${was}: ${what}` }]
}

function sinkChange(
  configured: SubscriptionShape,
  last: SubscriptionShape | undefined,
  { open }: StoredFacts,
): Change[] {
  if (last === undefined || last.sink === configured.sink || open === 0) return []
  const [was, is] = [last.sink ?? 'none', configured.sink ?? 'none']
  return [
    {
      kind: 'sink',
      severity: 'note',
      message: `the sink is ${is} (was ${was}): ${counted(open, 'open delivery goes', 'open deliveries go')} there`,
    },
  ]
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
