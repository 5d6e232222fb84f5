import { parseDuration } from '../../core/duration.ts'
import { AppError } from '../../core/errors.ts'
import type { Event } from '../../core/event.ts'
import type { DeadRow } from '../../core/ledger-state.ts'
import { hasLedger } from '../../plugin/pipeline-config.ts'
import type { DeadQuery, Store } from '../../plugin/store.ts'
import type { Pipeline } from '../../runtime/api.ts'
import type { Batches } from '../../runtime/batches.ts'
import type { RecordingLog } from '../plugin-context.ts'
import type { RecordingSink } from '../recording-sink.ts'
import type { ScriptedSource } from '../scripted-source.ts'
import type { VirtualPlatform } from '../virtual-platform.ts'
import type { CrashPlace, CrashPoint, StoreFailure } from './faults.ts'
import { createProcess, type Process, type Shared } from './process.ts'
import type { DeliveryState, TestClock, TestControls } from './test-pipeline.ts'

/** A duration in milliseconds; throws `usage` for what is none. */
export function millisecondsOf(duration: string): number {
  const parsed = parseDuration(duration)
  if (!parsed.ok) throw new AppError('usage', `the duration ${duration} cannot be used: ${parsed.problem}`)
  return parsed.ms
}

/** What a test has in its hands, whichever process runs. */
export class Controls implements TestControls, AsyncDisposable {
  readonly clock: TestClock
  readonly log: RecordingLog
  readonly #shared: Shared
  readonly #platform: VirtualPlatform
  #process: Process | undefined

  constructor(shared: Shared, platform: VirtualPlatform, log: RecordingLog) {
    this.#shared = shared
    this.#platform = platform
    this.log = log
    this.clock = {
      now: () => platform.clock.now(),
      advance: (duration) => platform.advance(millisecondsOf(duration)),
    }
  }

  get process(): Process {
    return this.#process!
  }

  get store(): Store {
    return this.#shared.store
  }

  get hasCrashed(): boolean {
    return this.process.hasCrashed
  }

  async idle(): Promise<void> {
    const { process } = this
    for (let before = -1; before !== process.commits && !process.hasCrashed; ) {
      before = process.commits
      await this.#platform.settle()
      this.#flush(process)
      await this.#platform.settle()
    }
  }

  /** What changed in the ledgers goes to the store: every look at dead letters sees to that. A store that fails takes time. */
  #flush({ hasCrashed, pipeline }: Process): void {
    const lane = this.#shared.made.plan.subscriptions.find(hasLedger)
    if (lane !== undefined && !hasCrashed) pipeline.dead(lane.policy.name, { limit: 1 }).catch(() => undefined)
  }

  /** An answer that comes without time passing, or never while it stands still. */
  async #now<T>(doing: string, run: (pipeline: Pipeline) => Promise<T>): Promise<T> {
    const answer = this.process.call(doing, run) as Promise<T>
    let isThere = false
    const come = () => {
      isThere = true
    }
    answer.then(come, come)
    await this.#platform.settle()
    if (isThere) return answer
    throw new AppError(
      'state-conflict',
      `${doing} failed: it waits for the store, which fails; call clock.advance() first`,
    )
  }

  async events(): Promise<readonly Event[]> {
    const events: Event[] = []
    for (let page = await this.store.read(0, 1000); page.length > 0; ) {
      events.push(...page)
      page = await this.store.read(page.at(-1)!.sequence, 1000)
    }
    return events
  }

  async derived(subscription?: string): Promise<readonly Event[]> {
    const isDerived = ({ source }: Event) =>
      subscription === undefined
        ? source.startsWith('millrace:/') && source !== 'millrace:/engine'
        : source === `millrace:/${subscription}`
    return (await this.events()).filter(isDerived)
  }

  async deliveries(subscription: string): Promise<readonly DeliveryState[]> {
    await this.idle()
    const states: DeliveryState[] = []
    for (const { sequence, id, type } of await this.events()) {
      const { deliveries } = await this.#now('deliveries', (pipeline) => pipeline.explain(sequence, subscription))
      const live = deliveries.find(({ replay }) => replay === undefined)
      if (live === undefined || live.state === 'filtered' || live.state === 'before-start') continue
      const { state, reason, attemptCount, dueAt } = live
      states.push({
        sequence,
        id,
        type,
        state,
        ...(reason !== undefined && { reason }),
        attempts: attemptCount,
        ...(dueAt !== undefined && { dueAt }),
      })
    }
    return states
  }

  async dead(subscription: string, query: DeadQuery = { limit: 1000 }): Promise<readonly DeadRow[]> {
    return this.#now('dead', (pipeline) => pipeline.dead(subscription, query))
  }

  batches(subscription: string): Batches {
    const { process } = this
    return process.through(process.call('batches', (pipeline) => pipeline.batches(subscription)) as Batches)
  }

  sink(subscription: string): RecordingSink {
    return this.#stand('sink', 'recording', this.#shared.made.sinks, subscription)
  }

  source(name: string): ScriptedSource {
    return this.#stand('source', 'scripted', this.#shared.made.sources, name)
  }

  #stand<T>(kind: string, how: string, all: ReadonlyMap<string, T>, name: string): T {
    const found = all.get(name)
    if (found !== undefined) return found
    const there =
      all.size === 0 ? `there is none: open it with ${kind}s: '${how}'` : `there are ${[...all.keys()].join(', ')}`
    throw new AppError('usage', `no ${how} ${kind} stands for ${name}; ${there}`)
  }

  failStore(how: StoreFailure, times = 1): void {
    this.#shared.faults.failStore(how, times)
  }

  crash(): void {
    this.process.crash()
  }

  crashAt(point: CrashPoint, place: CrashPlace = {}): void {
    this.#shared.faults.arm(point, place)
  }

  async restart(): Promise<void> {
    const { armed } = this.#shared.faults
    if (armed !== undefined && this.#process?.hasCrashed === false)
      throw new AppError(
        'state-conflict',
        `restarting failed: the process has not crashed, since it never came to ${armed}`,
      )
    await this.#end()
    this.#process = createProcess(this.#shared)
    await this.#moveUntil(this.process.pipeline.start())
  }

  async stop(options: { readonly deadline?: string | undefined } = {}): Promise<void> {
    if (!this.hasCrashed) await this.#moveUntil(this.process.pipeline.stop(options))
  }

  async #end(): Promise<void> {
    if (this.#process === undefined) return
    if (this.hasCrashed) await this.process.release()
    else await this.stop()
  }

  /** Lets time pass where something waits for it. */
  async #moveUntil<T>(done: Promise<T>): Promise<T> {
    let isDone = false
    const end = () => {
      isDone = true
    }
    done.then(end, end)
    for (await this.#platform.settle(); !isDone; ) await this.#platform.advanceToNext()
    return done
  }

  async close(): Promise<void> {
    await this.#end()
    await this.#shared.store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
