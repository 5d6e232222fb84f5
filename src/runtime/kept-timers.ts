import { derivedSource } from '../core/derived.ts'
import { messageOf } from '../core/errors.ts'
import type { EventRecord } from '../core/event.ts'
import { checkEvent } from '../core/event-check.ts'
import type { KeptRow } from '../core/ledger-state.ts'
import type { Timer } from '../core/platform.ts'
import { dueAnswerProblem } from '../core/stage-answer.ts'
import type { Derived, DueInput, Stage } from '../plugin/stage.ts'
import { type KeptChange, keptChange } from './kept-values.ts'
import type { Lane } from './lane.ts'

const never = Number.POSITIVE_INFINITY
const rowsAtOnce = 500
const retryMs = 1000
/** How soon what could not be done for one value is tried again. */
const postponeMs = 10_000

/** Calls the stages of a lane for the values they keep that are due: from the stored times, with one timer. */
export class KeptTimers {
  readonly #lane: () => Lane
  #nextDue = never
  #timer: Timer | undefined
  #timerAt = never
  #firing: Promise<void> | undefined
  #isStopped = false

  constructor(lane: () => Lane) {
    this.#lane = lane
  }

  /** True while something is due and not done. */
  get isBusy(): boolean {
    return this.#firing !== undefined
  }

  /** A value is due then. */
  expect(dueAt: number): void {
    if (dueAt < this.#nextDue) this.#nextDue = dueAt
    this.look()
  }

  /** Finds what an earlier process left. */
  async start(): Promise<void> {
    await this.#findNext()
    this.look()
  }

  /** Does what is due, or sets the timer. */
  look(): void {
    const lane = this.#lane()
    if (this.#isStopped || this.#firing !== undefined || this.#nextDue === never || !lane.isRunning) return
    const { platform } = lane.around
    const delayMs = this.#nextDue - platform.clock.now()
    if (delayMs <= 0) {
      this.#firing = this.#fire()
        .catch((error: unknown) => this.#failed(error))
        .then(() => this.#takeTurns())
        .finally(() => {
          this.#firing = undefined
          this.look()
        })
      return
    }
    if (this.#timer !== undefined && this.#timerAt <= this.#nextDue) return
    this.#timer?.cancel()
    this.#timerAt = this.#nextDue
    this.#timer = platform.after(delayMs, () => {
      this.#timer = undefined
      this.look()
    })
  }

  /** When more is due at once, others come first. */
  async #takeTurns(): Promise<void> {
    const { platform } = this.#lane().around
    if (this.#nextDue <= platform.clock.now()) await new Promise<void>((resolve) => platform.soon(resolve))
  }

  /** Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#firing
  }

  async #fire(): Promise<void> {
    const lane = this.#lane()
    const { store, platform, settler } = lane.around
    this.#nextDue = never
    await settler().flush()
    const now = platform.clock.now()
    const rows = await store.kept(lane.name, { dueBefore: now, limit: rowsAtOnce })
    for (const row of rows) {
      if (this.#isStopped) return
      await this.#call(row, now)
    }
    await settler().flush()
    await this.#findNext()
  }

  async #findNext(): Promise<void> {
    const lane = this.#lane()
    const [next] = await lane.around.store.kept(lane.name, { dueBefore: Number.MAX_SAFE_INTEGER, limit: 1 })
    if (next?.dueAt !== undefined && next.dueAt < this.#nextDue) this.#nextDue = next.dueAt
  }

  async #call({ stage: name, key }: KeptRow, now: number): Promise<void> {
    const lane = this.#lane()
    const running = lane.setup.stages.find((stage) => stage.name === name)
    if (running?.kept === undefined) {
      // The configuration has no such stage any more: its value stays, and asks for nothing.
      const [row] = await lane.around.store.kept(lane.name, { stage: name, keys: [key] })
      if (row !== undefined) lane.ledger.keep({ stage: name, key, value: row.value })
      lane.around.settler().touch(lane)
      return
    }
    const { value, dueAt } = await running.kept.acquire(key)
    try {
      if (value === undefined || dueAt === undefined || dueAt > now) return
      const due = this.#ask(running.stage, { key, value, now, log: lane.setup.context.log }, name, dueAt)
      running.kept.set(key, due.keep)
      if (due.derived.length > 0) lane.around.settler().derive(due.derived)
      lane.around.settler().touch(lane)
    } finally {
      running.kept.release(key)
    }
  }

  /** One that fails is asked again later, and keeps nobody else waiting. */
  #ask(stage: Stage, input: DueInput, name: string, dueAt: number): { keep: KeptChange; derived: EventRecord[] } {
    const lane = this.#lane()
    const { key, value, now } = input
    try {
      const result = stage.onDue?.(input) ?? {}
      if (typeof result === 'object' && 'then' in result)
        throw new Error('onDue answered a promise: it must answer at once')
      const problem = dueAnswerProblem(result)
      if (problem !== undefined) throw new Error(problem)
      // What it derives is named by the time, and nothing may be due for ever.
      if ((result.keep?.dueAt ?? never) <= dueAt)
        throw new Error('onDue keeps a value that is due again no later than before: give a later dueAt')
      const derived = (result.derive ?? []).map((each, index) => derive(lane, each, `${name}/${key}/${dueAt}/${index}`))
      return { keep: keptChange(result.keep ?? { value }), derived }
    } catch (error) {
      lane.around.log.error(`stage ${name} of ${lane.name} failed on a value that was due; it is asked again`, {
        error: messageOf(error),
        afterMs: postponeMs,
      })
      return { keep: keptChange({ value, dueAt: now + postponeMs }), derived: [] }
    }
  }

  #failed(error: unknown): void {
    const lane = this.#lane()
    if (this.#isStopped || lane.isStopping) return
    lane.around.log.error(`what a stage of ${lane.name} keeps was due and could not be done; it is tried again`, {
      error: messageOf(error),
    })
    this.#nextDue = lane.around.platform.clock.now() + retryMs
  }
}

/** The id names the value and its time, so that the same call makes the same event. */
function derive(lane: Lane, input: Derived, about: string): EventRecord {
  const { replay, gate } = lane.setup
  const subscription = replay?.subscription ?? lane.name
  const id = `due/${lane.around.platform.digest(about)}${replay === undefined ? '' : `/${replay.id}`}`
  const checked = checkEvent({ ...input, source: derivedSource(subscription), id })
  if (!checked.ok)
    throw new Error(`the event it derived is not valid: ${checked.issues.map(({ message }) => message).join('; ')}`)
  const screened = gate?.screenDerived([checked.record])
  if (screened?.kind === 'refused') throw new Error(`the event it derived was refused: ${screened.problem}`)
  return screened?.records[0] ?? checked.record
}
