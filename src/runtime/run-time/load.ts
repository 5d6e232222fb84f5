import { AppError, messageOf } from '../../core/errors.ts'
import { formatIssue } from '../../core/issues.ts'
import type { JsonOptions } from '../../plugin/define.ts'
import type { Store } from '../../plugin/store.ts'
import type { EngineSetup, MadeSpec, RunTimeSetup } from '../setup.ts'
import { aboutOptions, forgetStored, listStored, type StoredSubscription } from './stored.ts'

/** What is kept in memory of each, beside its lane or view. */
export interface Entry {
  readonly createdAt: number
  readonly version: number
  /** The sink's options as people see them. */
  readonly shown: JsonOptions
  /** When one of its secrets ends. */
  readonly endsAt?: number | undefined
  /** Why it is not at work. */
  readonly problem?: string | undefined
}

/** The stored subscriptions, and the setup of the engine with those that can be at work. */
export interface Loaded {
  readonly entries: Map<string, Entry>
  readonly setup: EngineSetup
}

/** Reads what was made while an earlier process ran. One that cannot be made now is shown as disabled, and keeps its place. */
export async function loadRunTime(setup: EngineSetup, store: Store): Promise<Loaded> {
  const entries = new Map<string, Entry>()
  const { runTime, log, platform } = setup
  if (runTime === undefined) return { entries, setup }
  const configured = namesOf(setup)
  const made: MadeSpec[] = []
  for (const [name, stored] of await listStored(store)) {
    if (stored.isEnded === true) await finishEnd(store, name)
    else if (configured.has(name))
      log.warn(
        `the configuration has a subscription ${name}, and one of that name was made while the pipeline ran: the one of the configuration counts`,
      )
    else {
      const opened = await revive(runTime, name, stored, platform.clock.now())
      entries.set(name, opened.entry)
      if (opened.spec !== undefined) made.push(opened.spec)
      else log.error(`the stored subscription ${name} is not at work`, { reason: opened.entry.problem })
    }
  }
  const lanes = made.flatMap(({ lane }) => lane ?? [])
  const views = made.flatMap(({ view }) => view ?? [])
  return {
    entries,
    setup: { ...setup, subscriptions: [...setup.subscriptions, ...lanes], views: [...(setup.views ?? []), ...views] },
  }
}

/** Names that belong to the configuration. */
export function namesOf({ subscriptions, views = [], taps = [] }: EngineSetup): ReadonlySet<string> {
  return new Set([...subscriptions, ...views, ...taps].map(({ policy }) => policy.name))
}

async function revive(
  runTime: RunTimeSetup,
  name: string,
  stored: StoredSubscription,
  nowMs: number,
): Promise<{ readonly entry: Entry; readonly spec?: MadeSpec | undefined }> {
  const { createdAt, version } = stored
  const entry = { createdAt, version, shown: {} }
  try {
    const options = await openOptions(runTime, name, stored)
    const checked = runTime.check(name, withOptions(stored, options), options)
    if (!checked.ok) {
      const problem = `what is stored is not valid any more: ${checked.issues.map(formatIssue).join('; ')}`
      return { entry: { ...entry, problem } }
    }
    return { entry: entryOf(stored, checked.value, nowMs), spec: runTime.specOf(checked.value.plan) }
  } catch (error) {
    return { entry: { ...entry, problem: messageOf(error) } }
  }
}

/** What memory keeps of one that is at work. */
export function entryOf(
  { createdAt, version }: Pick<StoredSubscription, 'createdAt' | 'version'>,
  { sink, options }: Pick<Extract<ReturnType<RunTimeSetup['check']>, { ok: true }>['value'], 'sink' | 'options'>,
  nowMs: number,
): Entry {
  const { atRunTime } = sink
  const tidied = atRunTime?.tidy?.(options, nowMs)
  // What has ended already is removed at the next look.
  const endsAt = tidied === undefined || tidied.options === options ? tidied?.nextMs : nowMs
  const shown = atRunTime?.show?.(options, false) ?? options
  return { createdAt, version, shown, ...(endsAt !== undefined && { endsAt }) }
}

/** The sink's options of a stored subscription, as they were completed. */
export async function openOptions(
  { secrets }: RunTimeSetup,
  name: string,
  { options, sealed }: StoredSubscription,
): Promise<JsonOptions> {
  if (sealed === undefined) return options ?? {}
  return JSON.parse(await secrets.open(sealed, aboutOptions(name))) as JsonOptions
}

/** As it would be written. */
export function withOptions({ config }: StoredSubscription, options: JsonOptions): JsonOptions {
  return { ...config, sink: { ...(config['sink'] as JsonOptions), ...options } }
}

/** A process ended between the two halves of an `unsubscribe`. */
async function finishEnd(store: Store, name: string): Promise<void> {
  try {
    await store.dropLedger(name)
    await forgetStored(store, name)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'store-readonly') throw error
  }
}
