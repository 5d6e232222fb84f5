import { parseDuration } from '../../core/duration.ts'
import { AppError, messageOf } from '../../core/errors.ts'
import { timeText } from '../../core/event.ts'
import { formatIssue } from '../../core/issues.ts'
import type { SchemaIssue } from '../../plugin/check.ts'
import type { JsonOptions } from '../../plugin/define.ts'
import type { RunTimePlan } from '../../plugin/run-time-config.ts'
import type { SubscriptionStatus } from '../api.ts'
import type { Opened } from '../opened.ts'
import type { MadeSpec, RunTimeSetup } from '../setup.ts'
import type { Expected, RotatedSecret, Subscribed } from './face.ts'
import { type Entry, entryOf, openOptions, withOptions } from './load.ts'
import {
  aboutOptions,
  etagOf,
  forgetStored,
  listStored,
  readStored,
  type StoredSubscription,
  writeStored,
} from './stored.ts'

/** Makes, changes and ends subscriptions of a pipeline that is open; one change at a time, each stored before it takes effect. */
export class Desk {
  readonly #live: Opened
  readonly #setup: RunTimeSetup | undefined
  readonly #entries: Map<string, Entry>
  readonly #configured: ReadonlySet<string>
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    live: Opened,
    setup: RunTimeSetup | undefined,
    entries: Map<string, Entry>,
    configured: ReadonlySet<string>,
  ) {
    this.#live = live
    this.#setup = setup
    this.#entries = entries
    this.#configured = configured
  }

  /** True for one that was made while the pipeline ran. */
  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** A status with where the subscription comes from; one that is not at work says why. */
  dress(status: SubscriptionStatus): SubscriptionStatus {
    const entry = this.#entries.get(status.name)
    if (entry === undefined) return status.state === 'retired' ? status : { ...status, origin: 'file' }
    const { version, shown: options, problem } = entry
    const known = { ...status, origin: 'api', version, etag: etagOf(entry), options } as const
    return problem === undefined ? known : { ...known, state: 'disabled', reason: problem }
  }

  subscribe(name: string, written: unknown, expected: Expected = {}): Promise<Omit<Subscribed, 'subscription'>> {
    return this.#inTurn(async (runTime) => {
      this.#mayChange(name)
      const before = await this.#stored(name)
      expect(name, before, expected)
      const checked = runTime.check(name, written, await this.#optionsBefore(runTime, name, before))
      const issues = checked.ok ? runTime.refusals(checked.value) : checked.issues
      if (!checked.ok || issues.length > 0) throw invalid(name, issues)
      const plan = checked.value
      return { isNew: before === undefined, etag: await this.#put(runTime, name, plan, before), secret: plan.secret }
    })
  }

  unsubscribe(name: string, expected: Expected = {}): Promise<void> {
    return this.#inTurn(async () => {
      this.#mayChange(name)
      const before = await this.#stored(name)
      if (before === undefined) throw this.#live.unknown(name)
      expect(name, before, expected)
      const { store } = this.#live
      await writeStored(store, name, { ...before, options: undefined, sealed: undefined, isEnded: true })
      await this.#live.end(name, 0)
      this.#entries.delete(name)
      await store.dropLedger(name)
      this.#live.forget(name)
      await forgetStored(store, name)
    })
  }

  async configOf(name: string): Promise<{ readonly etag: string; readonly config: JsonOptions }> {
    const runTime = this.#need()
    const stored = this.#configured.has(name) ? undefined : await this.#stored(name)
    if (stored === undefined) throw this.#notMadeHere(name)
    const options = await openOptions(runTime, name, stored)
    const shown = runTime.sinkOf(stored.config)?.atRunTime?.show?.(options, true) ?? options
    return { etag: etagOf(stored), config: withOptions(stored, shown) }
  }

  rotateSecret(
    name: string,
    { overlap = '24h', secret }: { readonly overlap?: string | undefined; readonly secret?: string | undefined },
  ): Promise<RotatedSecret> {
    return this.#inTurn(async (runTime) => {
      const lasts = parseDuration(overlap)
      if (!lasts.ok)
        throw new AppError('bad-request', `changing the secret of ${name} failed: overlap: ${lasts.problem}`)
      const before = this.#configured.has(name) ? undefined : await this.#stored(name)
      if (before === undefined) throw this.#notMadeHere(name)
      const rotate = runTime.sinkOf(before.config)?.atRunTime?.rotate
      if (rotate === undefined)
        throw new AppError('state-conflict', `changing the secret of ${name} failed: its sink signs nothing`)
      const options = await openOptions(runTime, name, before)
      const oldUntil = timeText(this.#live.platform.clock.now() + lasts.ms)
      const rotated = rotate(options, secret, oldUntil)
      const checked = runTime.check(name, withOptions(before, rotated.options), options)
      if (!checked.ok) throw invalid(name, checked.issues)
      const etag = await this.#put(runTime, name, checked.value, before)
      return { secret: rotated.secret, oldUntil, etag }
    })
  }

  rotateKey(): Promise<{ readonly changed: number; readonly unreadable: number }> {
    return this.#inTurn(async ({ secrets }) => {
      const { store, log } = this.#live
      await secrets.beginRotation()
      let [changed, unreadable] = [0, 0]
      for (const [name, stored] of await listStored(store)) {
        const { sealed } = stored
        if (sealed === undefined || (await secrets.isCurrent(sealed))) continue
        try {
          const about = aboutOptions(name)
          const again = await secrets.seal(await secrets.open(sealed, about), about)
          await writeStored(store, name, { ...stored, sealed: again })
          changed += 1
        } catch (error) {
          if (!(error instanceof AppError) || error.code !== 'secret-key-missing') throw error
          log.error(`the secrets of subscription ${name} could not be encrypted anew`, { reason: messageOf(error) })
          unreadable += 1
        }
      }
      await secrets.forgetOld()
      return { changed, unreadable }
    })
  }

  /** Removes secrets whose time is over from the store; sinks have stopped using them by themselves. */
  async tidy(): Promise<void> {
    const now = this.#live.platform.clock.now()
    for (const [name, { endsAt }] of this.#entries) {
      if (endsAt !== undefined && endsAt <= now) await this.#inTurn((runTime) => this.#tidyOne(runTime, name, now))
    }
  }

  async #tidyOne(runTime: RunTimeSetup, name: string, now: number): Promise<void> {
    const stored = await this.#stored(name)
    if (stored === undefined) return
    const sink = runTime.sinkOf(stored.config)
    const options = await openOptions(runTime, name, stored)
    const tidied = sink?.atRunTime?.tidy?.(options, now)
    if (sink === undefined || tidied === undefined) return
    await writeStored(this.#live.store, name, { ...stored, ...(await this.#kept(runTime, name, sink, tidied.options)) })
    this.#entries.set(name, entryOf(stored, { sink, options: tidied.options }, now))
  }

  /** Stores it, and only then lets the new one take the place of the old one. */
  async #put(
    runTime: RunTimeSetup,
    name: string,
    plan: RunTimePlan,
    before: StoredSubscription | undefined,
  ): Promise<string> {
    const { store, platform } = this.#live
    const spec = runTime.specOf(plan.plan)
    if (before !== undefined) this.#mustBeAlike(name, spec)
    const now = platform.clock.now()
    const stored: StoredSubscription = {
      format: 1,
      createdAt: before?.createdAt ?? now,
      changedAt: now,
      version: (before?.version ?? 0) + 1,
      config: plan.config,
      ...(await this.#kept(runTime, name, plan.sink, plan.options)),
    }
    await writeStored(store, name, stored)
    const entry = entryOf(stored, plan, now)
    try {
      await this.#live.end(name, graceMs)
      await this.#live.begin(spec)
    } catch (error) {
      // One that was not there is not there now either; one that was is stored as it shall be, and says what is wrong.
      if (before === undefined) await forgetStored(store, name)
      else this.#entries.set(name, { ...entry, problem: `it could not be made: ${messageOf(error)}` })
      throw error
    }
    this.#entries.set(name, entry)
    return etagOf(stored)
  }

  async #kept(
    { secrets }: RunTimeSetup,
    name: string,
    sink: RunTimePlan['sink'],
    options: JsonOptions,
  ): Promise<Pick<StoredSubscription, 'options' | 'sealed'>> {
    if (sink.atRunTime?.isSecret !== true) return { options, sealed: undefined }
    return { options: undefined, sealed: await secrets.seal(JSON.stringify(options), aboutOptions(name)) }
  }

  /** Secrets that cannot be opened are as good as gone: new ones are made in their place. */
  async #optionsBefore(
    runTime: RunTimeSetup,
    name: string,
    before: StoredSubscription | undefined,
  ): Promise<JsonOptions | undefined> {
    if (before === undefined) return undefined
    try {
      return await openOptions(runTime, name, before)
    } catch (error) {
      if (error instanceof AppError && error.code === 'secret-key-missing') return undefined
      throw error
    }
  }

  async #stored(name: string): Promise<StoredSubscription | undefined> {
    const stored = await readStored(this.#live.store, name)
    return stored?.isEnded === true ? undefined : stored
  }

  #need(): RunTimeSetup {
    if (this.#setup !== undefined) return this.#setup
    throw new AppError('state-conflict', 'this pipeline has no subscriptions that are made while it runs')
  }

  #mayChange(name: string): void {
    if (this.#configured.has(name))
      throw new AppError(
        'state-conflict',
        `changing subscription ${name} failed: it is in the configuration, and is changed there`,
      )
    if (this.#live.services.signal.aborted)
      throw new AppError('stopping', `changing subscription ${name} failed: the pipeline is stopping`)
  }

  #notMadeHere(name: string): AppError {
    if (!this.#configured.has(name)) return this.#live.unknown(name)
    return new AppError('state-conflict', `that cannot be done with ${name}: it is in the configuration, not made here`)
  }

  #mustBeAlike(name: string, spec: MadeSpec): void {
    const { lanes, views } = this.#live
    if (spec.view === undefined ? !views.has(name) : !lanes.has(name)) return
    throw new AppError(
      'state-conflict',
      `changing subscription ${name} failed: one with a place of its own in the log and one that clients read (sse) are not turned into each other; delete it first`,
    )
  }

  /** One change after another. */
  #inTurn<T>(task: (runTime: RunTimeSetup) => Promise<T>): Promise<T> {
    const run = (): Promise<T> => task(this.#need())
    const result = this.#last.then(run, run)
    this.#last = result.catch(() => undefined)
    return result
  }
}

/** How long attempts of the one before may take to end by themselves. */
const graceMs = 2000

function expect(name: string, before: StoredSubscription | undefined, { ifMatch, isNew }: Expected): void {
  if (isNew === true && before !== undefined)
    throw new AppError('precondition-failed', `making subscription ${name} failed: there is one of this name`)
  if (ifMatch === undefined) return
  const is = before === undefined ? 'not there' : `at version ${etagOf(before)}`
  if (before === undefined || (ifMatch !== '*' && ifMatch !== etagOf(before)))
    throw new AppError('precondition-failed', `changing subscription ${name} failed: it is ${is}; read it again`)
}

function invalid(name: string, issues: readonly SchemaIssue[]): AppError {
  const text = issues.slice(0, 20).map(formatIssue).join('; ')
  return new AppError('subscription-invalid', `subscription ${name} was not made: ${text}`, { facts: { issues } })
}
