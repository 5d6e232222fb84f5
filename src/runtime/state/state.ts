import { AppError } from '../../core/errors.ts'
import type { StateReader } from '../../plugin/state.ts'
import type { Lane } from '../lane.ts'
import type { Opened } from '../opened.ts'
import { type FoldingParts, stateAt } from './at.ts'
import { untilSettled } from './settled.ts'
import { storedState } from './stored.ts'

/** Reads what a stage of a running pipeline keeps. Throws for a subscription that is not there. */
export function readState<Value>(live: Opened, subscription: string, wanted: string | undefined): StateReader<Value> {
  const lane = live.lane(subscription)
  const stage = wanted ?? onlyStage(subscription, configuredStages(lane))
  const { store, settler, log, platform, lanes } = live
  const folding = (): FoldingParts => {
    const { start } = live.lane(subscription).ledger
    const spec = lanes.spec(subscription)!
    if (spec.foldVersion !== undefined) return { store, platform, log, spec, start }
    throw new AppError(
      'state-conflict',
      `making the state of ${subscription} at a moment failed: it does not follow from the log alone, as that of a projection does`,
    )
  }
  return {
    ...storedState<Value>(store, subscription, stage, () => settler.flush()),
    settled: (sequence, { signal } = {}) => untilSettled(live, subscription, sequence, signal),
    async at(moment, key, options = {}) {
      return (await stateAt(folding(), stage, moment, key, options)).get(key) as Value | undefined
    },
    async allAt(moment, options = {}) {
      return (await stateAt(folding(), stage, moment, undefined, options)) as ReadonlyMap<
        string,
        unknown
      > as ReadonlyMap<string, Value>
    },
  }
}

/** The stages of a subscription that keep something, or have kept it. */
export async function keepingStages(live: Opened, subscription: string): Promise<readonly string[]> {
  const configured = configuredStages(live.lane(subscription))
  await live.settler.flush()
  return [...new Set([...configured, ...(await live.store.keptStages(subscription))])].sort()
}

function configuredStages({ setup }: Lane): string[] {
  return setup.stages.filter(({ kept }) => kept !== undefined).map(({ name }) => name)
}

/** The one stage that may be meant where none is named. */
export function onlyStage(subscription: string, keeping: readonly string[]): string {
  if (keeping.length === 1) return keeping[0]!
  throw new AppError(
    'bad-request',
    keeping.length === 0
      ? `reading the state of ${subscription} failed: none of its stages keeps anything`
      : `reading the state of ${subscription} failed: say which stage is meant: ${keeping.join(', ')}`,
  )
}
