import { derivedSource } from '../core/derived.ts'
import { type Event, type Sequence, timeText } from '../core/event.ts'
import type { HistoryRun, LedgerRecord } from '../core/ledger-state.ts'
import { compilePatterns } from '../core/match.ts'
import { notBeforeOf } from '../core/not-before.ts'
import type { Attempt } from '../core/outcome.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import { readLedgerName } from '../core/replay-name.ts'
import type { Store } from '../plugin/store.ts'
import type { ExplainedDelivery } from './api.ts'
import type { Lane } from './lane.ts'

interface Parts {
  readonly state: ExplainedDelivery['state']
  readonly reason?: string | undefined
  readonly attempts?: readonly Attempt[] | undefined
  readonly attemptCount?: number | undefined
  readonly next?: string | undefined
  readonly dueAt?: number | undefined
  readonly settledAt?: number | undefined
}

/** Why an event is where it is, for one subscription. Call after a flush, so that store and memory agree. */
export async function explainDelivery(
  store: Store,
  subject: Lane | LedgerRecord,
  sequence: Sequence,
  event: Event | undefined,
  frontier: Sequence,
): Promise<ExplainedDelivery> {
  const lane = 'policy' in subject ? subject : undefined
  const name = 'policy' in subject ? subject.name : subject.subscription
  const checks =
    lane === undefined || event === undefined ? [] : checksOf(lane.policy, lane.setup.see?.(event) ?? event)
  const parts = await place(store, subject, sequence, frontier, checks)
  return {
    ...readLedgerName(name),
    state: parts.state,
    reason: parts.reason ?? (event && reasonToWait(event, parts)),
    checks,
    attempts: parts.attempts ?? [],
    attemptCount: parts.attemptCount ?? parts.attempts?.length ?? 0,
    next: parts.next,
    dueAt: parts.dueAt === undefined ? undefined : timeText(parts.dueAt),
    settledAt: parts.settledAt === undefined ? undefined : timeText(parts.settledAt),
  }
}

function reasonToWait(event: Event, { state, dueAt }: Parts): string | undefined {
  const notBefore = notBeforeOf(event)
  const isDelayed = state === 'waiting' && notBefore !== undefined && notBefore === dueAt
  return isDelayed ? `its notBefore is ${timeText(notBefore)}` : undefined
}

/** What a subscription looks for. */
export type LooksFor = Pick<SubscriptionPolicy, 'match'> &
  Partial<Pick<SubscriptionPolicy, 'name' | 'from' | 'where' | 'recursive'>>

/** Each thing that a subscription looks for, with what it made of the event. */
export function checksOf({ name, from, match, where, recursive }: LooksFor, event: Event): ExplainedDelivery['checks'] {
  const { type, source } = event
  const isOwn = name !== undefined && recursive !== true && source === derivedSource(name)
  return [
    ...(isOwn ? [{ check: 'derived by others', value: source, matched: false }] : []),
    ...(from ?? []).map((each) => ({ check: `from ${each}`, value: source, matched: each === source })),
    ...match.map((pattern) => ({
      check: `match ${pattern}`,
      value: type,
      matched: compilePatterns([pattern])(type),
    })),
    ...(where === undefined
      ? []
      : [{ check: `where ${where.text}`, value: where.explain(event), matched: where.test(event) }]),
  ]
}

async function place(
  store: Store,
  subject: Lane | LedgerRecord,
  sequence: Sequence,
  frontier: Sequence,
  checks: ExplainedDelivery['checks'],
): Promise<Parts> {
  const lane = 'policy' in subject ? subject : undefined
  const name = 'policy' in subject ? subject.name : subject.subscription
  const ledger = 'policy' in subject ? subject.ledger : subject
  const examined =
    'policy' in subject ? subject.examined : subject.follows ? Math.max(subject.examined, frontier) : subject.examined
  if (sequence <= ledger.start)
    return { state: 'before-start', reason: `the subscription began after sequence ${ledger.start}` }
  const [dead] = await store.dead(name, { sequences: [sequence], limit: 1 })
  if (dead !== undefined) {
    return {
      state: 'dead',
      reason: dead.reason,
      attempts: dead.attempts,
      attemptCount: dead.attemptCount,
      settledAt: dead.diedAt,
      next: 'nothing until it is redriven or discarded',
    }
  }
  const offered = lane?.pull?.describe(sequence)
  if (offered !== undefined) return { ...offered, next: blockedNext(lane, offered.next) }
  const [row] = await store.rows(name, { sequences: [sequence], limit: 1 })
  if (row !== undefined) {
    const done = row.done.length === 0 ? '' : `; stages done: ${row.done.join(', ')}`
    const shut = lane === undefined ? undefined : shutOf(lane)
    const isShut = shut !== undefined && shut.until >= row.dueAt
    const dueAt = isShut ? shut.until : row.dueAt
    const isBegun = row.begunAt !== undefined
    const next = lane?.due.has(sequence)
      ? `an attempt is under way${done}`
      : isBegun
        ? `dead, because nobody knows how the attempt ended that was under way when the process ended${done}`
        : `attempt ${row.attempt + 1} ${isShut ? 'no earlier than' : 'at'} ${timeText(dueAt)}${done}${isShut ? `: ${shut.why}` : ''}`
    return {
      state: row.state,
      reason: row.attempts.at(-1)?.reason,
      attempts: row.attempts,
      attemptCount: row.attempt,
      dueAt,
      next: blockedNext(lane, next),
    }
  }
  const held = (await store.held(name)).find(({ sequences }) => sequences.includes(sequence))
  if (held !== undefined)
    return {
      state: 'held',
      reason: `an earlier event of key ${held.key} is not settled`,
      next: 'delivered when those before it are',
    }
  const isPending = [...ledger.pending].includes(sequence)
  if (isPending)
    return { state: 'pending', next: blockedNext(lane, 'its first attempt is under way or next in line', true) }
  const settled = await settledPart(store, name, sequence)
  if (settled !== undefined) return settled
  if (sequence > examined)
    return {
      state: 'unexamined',
      reason: aheadOf(sequence - examined - 1),
      next: blockedNext(lane, 'examined soon', true),
    }
  return { state: 'filtered', reason: failedIn(checks) ?? 'it did not match when it was examined' }
}

function aheadOf(count: number): string {
  if (count === 0) return 'it is the next to be examined'
  return count === 1 ? 'one event is examined before it' : `${count} events are examined before it`
}

/** The checks that did not match, in words; undefined: there is none. */
export function failedIn(checks: ExplainedDelivery['checks']): string | undefined {
  const failed = checks
    .filter(({ matched }) => !matched)
    .map(({ check, value }) => `${check} did not match${check.startsWith('where ') ? ':' : ''} ${value}`)
  return failed.length > 0 ? failed.join('; ') : undefined
}

/** `waitsForFarSide`: an open breaker keeps it from happening. */
function blockedNext(lane: Lane | undefined, next: string, waitsForFarSide = false): string {
  if (lane === undefined) return 'nothing: the subscription is not in the configuration'
  if (lane.ledger.state !== 'running')
    return `nothing while the subscription is ${lane.ledger.state}: ${lane.ledger.reason ?? 'until it is resumed'}`
  const shut = waitsForFarSide ? shutOf(lane) : undefined
  return shut === undefined ? next : `nothing before ${timeText(shut.until)}: ${shut.why}`
}

/** Until when an open breaker keeps everything from the far side, and how that is said. */
function shutOf({ gate, name }: Lane): { readonly until: number; readonly why: string } | undefined {
  const until = gate.breaker?.openUntil
  return until === undefined ? undefined : { until, why: `the circuit breaker of ${name} is open until then` }
}

/**
 * The settlement in the history. One that was put back has several: it died before, however the clock went, for what is dead
 * now has a dead letter.
 */
async function settledPart(store: Store, name: string, sequence: Sequence): Promise<Parts | undefined> {
  const { rows } = await store.history(name, { sequence, limit: 100 })
  let found: Parts | undefined
  for (const row of rows) {
    const runs = row.runs.filter(({ from, count }) => sequence >= from && sequence < from + count)
    const run = runs.find(({ state }) => state !== 'dead') ?? runs.at(-1)
    if (run === undefined) continue
    const isBetter = found?.state === 'dead' && (run.state !== 'dead' || row.at >= found.settledAt!)
    if (found !== undefined && !isBetter) continue
    found = {
      state: run.state,
      reason: run.reason,
      attempts: row.attempts?.findLast((entry) => entry.sequence === sequence)?.attempts ?? atOnce(run, row.at),
      attemptCount: run.attempts ?? 1,
      settledAt: row.at,
    }
  }
  return found
}

/** The attempt of what was discarded at once: its time is that of the commit, milliseconds later. */
function atOnce({ step, reason }: HistoryRun, at: number): readonly Attempt[] | undefined {
  return step === undefined ? undefined : [{ at, durationMs: 0, step, outcome: 'discard', reason }]
}
