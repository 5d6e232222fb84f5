import type { Event, Sequence } from '../../core/event.ts'
import type { DeadRow } from '../../core/ledger-state.ts'
import type { TypedPipeline } from '../../pipeline.ts'
import type { DeadQuery } from '../../plugin/store.ts'
import type { EventOf, EventTypes, IfDeclared, TypedPipelineConfig } from '../../plugin/typed-config.ts'
import type { ExplainedDelivery, Pipeline } from '../../runtime/api.ts'
import { type RecordingLog, recordingLog } from '../plugin-context.ts'
import type { RecordingSink } from '../recording-sink.ts'
import type { ScriptedSource } from '../scripted-source.ts'
import { createVirtualPlatform, type VirtualPlatformOptions } from '../virtual-platform.ts'
import { Controls, millisecondsOf } from './controls.ts'
import { type CrashPlace, type CrashPoint, createFaults, type StoreFailure } from './faults.ts'
import { type PlanOptions, testPlan } from './plan.ts'
import type { Process, Shared } from './process.ts'
import { createUnderWay } from './under-way.ts'

/** How a pipeline is put under test. */
export interface TestPipelineOptions extends PlanOptions, VirtualPlatformOptions {
  /** How long a stage or sink may work in real time before virtual time goes on without it. Default: `1s`. */
  readonly patience?: string | undefined
}

/** Time, which moves only when the test says so. */
export interface TestClock {
  /** Milliseconds since 1970; 2026-01-01T00:00:00Z at the start. */
  now(): number
  /**
   * Moves time on by a duration such as `3d`, with everything that comes due on the way done at its own moment. What stages,
   * sinks and the store do meanwhile for real (files, requests) is waited for: no time passes over it.
   */
  advance(duration: string): Promise<void>
}

/** How a delivery stands: the short form of what `explain` answers. */
export interface DeliveryState {
  readonly sequence: Sequence
  readonly id: string
  readonly type: string
  readonly state: ExplainedDelivery['state']
  readonly reason?: string | undefined
  /** Attempts so far, over all its steps. */
  readonly attempts: number
  /** When it is tried again, RFC 3339. */
  readonly dueAt?: string | undefined
}

/** What a test does with a pipeline beside what everybody can. */
export interface TestControls<E = Event> {
  readonly clock: TestClock
  /** What was logged. */
  readonly log: RecordingLog
  /** Resolves when all is done and stored that needs no time to pass, or the process has crashed. */
  idle(): Promise<void>
  /** The whole log. */
  events(): Promise<readonly E[]>
  /** The events that stages derived: of one subscription, or of all. */
  derived(subscription?: string): Promise<readonly E[]>
  /** Each delivery of a subscription, in order of the log. Events that it does not match are not among them. */
  deliveries(subscription: string): Promise<readonly DeliveryState[]>
  /** Its dead letters; without a query, the first 1,000. */
  dead(subscription: string, query?: DeadQuery): Promise<readonly DeadRow[]>
  /** What stands for the sink of a subscription where `sinks` are `recording`. */
  sink(subscription: string): RecordingSink
  /** What stands for a source where `sources` are `scripted`. */
  source(name: string): ScriptedSource
  /** The next writes to the store fail: `times` of them. Default: 1. */
  failStore(how: StoreFailure, times?: number): void
  /** Ends the process at once, as `kill -9` does: what is not in the store is lost. */
  crash(): void
  /** Ends it the next time it passes this point. */
  crashAt(point: CrashPoint, place?: CrashPlace): void
  readonly hasCrashed: boolean
  /** Starts a new process on what the store has; one that still runs is stopped first, as a deployment does. */
  restart(): Promise<void>
  /** Ends everything; `await using` does the same. */
  close(): Promise<void>
}

/** A running pipeline under test. */
export type TestPipeline = Omit<Pipeline, keyof TestControls> & TestControls
/** A running pipeline under test whose types of event are declared. */
export type TypedTestPipeline<Types extends EventTypes> = Omit<TypedPipeline<Types>, keyof TestControls> &
  TestControls<EventOf<Types, '*' | `millrace.${string}`>>
/** A running pipeline under test, typed by what its configuration declares. */
export type TestPipelineOf<Types extends EventTypes> = IfDeclared<Types, TypedTestPipeline<Types>, TestPipeline>

/**
 * Runs a configuration under test: in memory, with time that moves only when the test says so, and able to crash. The
 * configuration is one in code, or the path of a file; then sinks record and sources wait for a script unless told otherwise.
 * Needs no test runner and works with each. Throws `config-invalid` with every problem.
 *
 * @example
 * await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink: crm } } })
 * await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed' })
 * await pipeline.clock.advance('3d')
 */
export async function testPipeline<
  Types extends EventTypes = EventTypes,
  Patterns extends Readonly<Record<string, unknown>> = Readonly<Record<string, unknown>>,
>(
  config: TypedPipelineConfig<Types, Patterns> | string,
  options: TestPipelineOptions = {},
): Promise<TestPipelineOf<Types>> {
  const underWay = createUnderWay(millisecondsOf(options.patience ?? '1s'))
  const platform = createVirtualPlatform({ ...options, work: () => underWay.next() })
  const made = await testPlan(config, platform, options)
  const log = recordingLog()
  const { declaration, options: storeOptions } = made.plan.store
  const store = await declaration.open(storeOptions, { directory: made.directory, platform })
  const faults = createFaults()
  const shared: Shared = { made, platform, log, store, faults, underWay }
  const pipeline = new Controls(shared, platform, log)
  try {
    await pipeline.restart()
  } catch (error) {
    await pipeline[Symbol.asyncDispose]()
    throw error
  }
  return withMethodsOf(pipeline, () => pipeline.process) as unknown as TestPipelineOf<Types>
}

/** The controls, and every other method of the pipeline of the process that runs now. */
function withMethodsOf(controls: Controls, process: () => Process): object {
  return new Proxy(controls, {
    get(target, name) {
      if (name in target) {
        const value: unknown = Reflect.get(target, name, target)
        // No bound function: V8 takes none for `await using`.
        return typeof value === 'function' ? (...args: unknown[]) => Reflect.apply(value, target, args) : value
      }
      return Reflect.get(process().through(process().pipeline), name)
    },
  })
}
