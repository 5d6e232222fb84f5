import { AppError } from '../../core/errors.ts'
import type { Event, Json, Sequence } from '../../core/event.ts'
import { timeProblem } from '../../core/event-fields.ts'
import type { Log, Platform } from '../../core/platform.ts'
import type { PluginContext } from '../../plugin/source.ts'
import type { Moment, StateAtOptions } from '../../plugin/state.ts'
import type { Store } from '../../plugin/store.ts'
import { Calls } from '../calls.ts'
import { Flight } from '../flight.ts'
import { keptValue } from '../kept-values.ts'
import { scan, selectionOf } from '../replay/selection.ts'
import type { MadeStage, SubscriptionSpec } from '../setup.ts'
import { type RunningStage, runStage } from '../stage-run.ts'
import { upcastFailure } from '../upcasting.ts'

const pageSize = 1000
/** Keys whose state is made at once: it is all in memory. */
const mostKeys = 100_000

/** What folding needs of the pipeline. */
export interface FoldingParts {
  readonly store: Store
  readonly platform: Platform
  readonly log: Log
  readonly spec: SubscriptionSpec
  /** The event before the first one of the state. */
  readonly start: Sequence
}

/**
 * The states of one folding stage at a moment, of one key or of all: made again from the log by the code of now, in memory.
 * Throws when the log does not have it all any more, and when a fold fails.
 */
export async function stateAt(
  parts: FoldingParts,
  stage: string,
  moment: Moment,
  key: string | undefined,
  { force = false, signal }: StateAtOptions,
): Promise<ReadonlyMap<string, Json>> {
  const { store, spec, start } = parts
  const { name, orderBy } = spec.policy
  const doing = `making the state of ${name} at a moment failed`
  const oldest = store.oldest()
  if (oldest - 1 > start && !force)
    throw new AppError(
      'state-conflict',
      `${doing}: it begins with event ${start + 1}, and the log now with event ${oldest}. With force it is made of what is there`,
    )
  const to = await sequenceOf(store, doing, moment)
  // Without orderBy the key of a projection is the subject: the store's search leaves all others out.
  const selection = selectionOf(spec, key === undefined || orderBy !== undefined ? {} : { subject: [key] })
  const folding = await openFolding(parts, stage, key)
  try {
    for (let at = Math.max(start, oldest - 1); at < to; ) {
      signal?.throwIfAborted()
      const { events, upTo } = await scan(store, selection, at, to, pageSize)
      for (const event of events) await folding.take(event)
      if (folding.states.size > mostKeys)
        throw new AppError('overloaded', `${doing}: it has more than ${mostKeys} keys; ask for one of them`)
      at = upTo
    }
  } finally {
    await folding.close()
  }
  return folding.states
}

async function sequenceOf(store: Store, doing: string, moment: Moment): Promise<Sequence> {
  if ('sequence' in moment) {
    if (Number.isSafeInteger(moment.sequence) && moment.sequence >= 0) return Math.min(moment.sequence, store.head())
    throw new AppError('bad-request', `${doing}: the sequence is a whole number from 0`)
  }
  const problem = timeProblem(moment.time)
  if (problem !== undefined) throw new AppError('bad-request', `${doing}: the time ${problem}`)
  return (await store.sequenceAt(globalThis.Date.parse(moment.time))) - 1
}

/** The stages of a subscription, with states of their own. */
async function openFolding({ platform, log, spec }: FoldingParts, wanted: string, key: string | undefined) {
  const { name } = spec.policy
  const context: PluginContext = { name, log, clock: platform.clock, signal: new AbortController().signal }
  const stages = (await spec.createStages()).map((made) => runningStage(made, spec, platform))
  for (const { stage } of stages) await stage.open?.(context)
  const kept = new Map(stages.map(({ name: stage }) => [stage, new Map<string, Json>()]))
  return {
    states: kept.get(wanted) ?? new Map<string, Json>(),
    async take(event: Event): Promise<void> {
      const failure = upcastFailure(event)
      if (failure !== undefined) throw failed(event, name, failure)
      const flight = new Flight(event, undefined, 'pending')
      for (const stage of stages) {
        const states = kept.get(stage.name)!
        const own = stage.stage.keyOf?.(flight)
        // The state of a key is made of its own events only.
        if (stage.name === wanted && key !== undefined && own !== key) return
        flight.keptKey = own
        const call = stage.calls.begin()
        const end = await runStage(
          stage,
          flight,
          call,
          { context, digest: platform.digest, replay: undefined, gate: undefined },
          own === undefined ? undefined : states.get(own),
        )
        stage.calls.end(call)
        const { outcome, reason } = end.outcome
        if (outcome === 'discard') return
        if (outcome !== 'ack') throw failed(event, name, reason)
        if (own !== undefined && end.keep !== undefined) {
          if (end.keep.text === null) states.delete(own)
          else states.set(own, keptValue(end.keep.text)!)
        }
        flight.advance([...flight.done, stage.name], end)
      }
    },
    async close(): Promise<void> {
      for (const { stage } of stages) await stage.close?.()
    },
  }
}

function failed({ sequence }: Event, name: string, reason: string | undefined): AppError {
  return new AppError('state-conflict', `folding event ${sequence} for ${name} failed: ${reason}`)
}

function runningStage(made: MadeStage, { policy }: SubscriptionSpec, platform: Platform): RunningStage {
  const { retry, throwAttempts } = policy
  return { ...made, policy: { retry, throwAttempts }, calls: new Calls(platform, made.timeoutMs ?? policy.timeoutMs) }
}
