import assert from 'node:assert/strict'
import type { AppendResult, Commit, CommitResult, Store } from '../plugin/store.ts'
import { deadRow, event, historyRow, ledgerState, row, same, sequencesOf } from './store-cases/case.ts'

/** One commit as a step describes it: small numbers, so that runs collide often and shrink well. */
export interface ModelCommit {
  /** Pairs of id and content; the same id with other content is a conflict. */
  readonly events: readonly (readonly [id: number, content: number])[]
  readonly cursor?: number | undefined
  /** Whether the events belong to the stream, and the version expected of it, if any. */
  readonly stream?: { readonly expect?: number | undefined } | undefined
  readonly ledger?: ModelChange | undefined
}

export interface ModelChange {
  /** How many epochs old the writer is; 0 is the owner. */
  readonly stale: number
  readonly put?: readonly number[] | undefined
  readonly remove?: readonly number[] | undefined
  readonly bury?: readonly number[] | undefined
  readonly unbury?: readonly number[] | undefined
  readonly hold?: readonly number[] | undefined
  readonly settle?: number | undefined
}

/** What may happen to a store, as data. */
export type ModelStep =
  | { readonly kind: 'commit'; readonly commits: readonly ModelCommit[] }
  | { readonly kind: 'take-over' }
  | { readonly kind: 'prune'; readonly events: number }
  | { readonly kind: 'forget-history'; readonly before: number }
  | { readonly kind: 'reopen' }

/** What a store must hold: the simplest thing that could be right. */
interface Model {
  head: number
  pruned: number
  readonly log: { id: number; content: number; sequence: number }[]
  readonly stream: number[]
  cursor: string | undefined
  epoch: number
  examined: number
  rows: Set<number>
  dead: Set<number>
  held: readonly number[]
  history: { sequence: number; at: number }[]
  base: number
}

/**
 * Does the steps on a store and on a model of it, comparing each answer and, after each step, everything there is.
 * Throws an `AssertionError` at the first difference. `reopen` closes the store and opens what it kept.
 */
export async function runStoreSteps(
  open: () => Promise<Store>,
  steps: readonly ModelStep[],
  reopen: ((store: Store) => Promise<Store>) | undefined,
): Promise<void> {
  let store = await open()
  const model: Model = {
    head: 0,
    pruned: 0,
    log: [],
    stream: [],
    cursor: undefined,
    epoch: 0,
    examined: 0,
    rows: new Set(),
    dead: new Set(),
    held: [],
    history: [],
    base: 0,
  }
  const takeOver = async () => {
    const { epoch } = await store.openLedger('crm', 0, 'model', ledgerState())
    assert.ok(epoch > model.epoch)
    model.epoch = epoch
  }
  await takeOver()
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'commit') await commitStep(store, model, step.commits)
    else if (step.kind === 'take-over') await takeOver()
    else if (step.kind === 'reopen') store = (await reopen?.(store)) ?? store
    else await pruneStep(store, model, step)
    await compare(store, model, `after step ${index} (${step.kind})`)
  }
}

async function commitStep(store: Store, model: Model, commits: readonly ModelCommit[]): Promise<void> {
  // The writer's epochs are those of this moment: nothing takes the ledger over within one call.
  const { epoch } = model
  const results = await store.commit(commits.map((commit) => toCommit(commit, epoch)))
  same(
    results.map(shortOf),
    commits.map((commit) => applyToModel(model, commit)),
  )
}

const shortOf = (result: CommitResult) => (result.kind === 'ok' ? result.events : result.reason)

function toCommit({ events, cursor, stream, ledger }: ModelCommit, epoch: number): Commit {
  return {
    events: events.map(([id, content]) => event(id, { data: String(content) })),
    streams: events.map(() => (stream === undefined ? undefined : 'stream')),
    expect: stream?.expect === undefined ? undefined : { stream: 'stream', version: stream.expect },
    cursor: cursor === undefined ? undefined : { source: 'shop', value: String(cursor) },
    ledgers: ledger === undefined ? undefined : [toChange(ledger, epoch)],
  }
}

function toChange(change: ModelChange, epoch: number): NonNullable<Commit['ledgers']>[number] {
  const { put = [], remove = [], bury = [], unbury = [], hold, settle } = change
  return {
    subscription: 'crm',
    partition: 0,
    epoch: epoch - change.stale,
    ledger: settle === undefined ? undefined : ledgerState({ examined: settle }),
    // Within one change a sequence is put or removed, not both: which came first would not be said.
    remove: remove.filter((sequence) => !put.includes(sequence)),
    put: put.map((sequence) => row(sequence)),
    unbury: unbury.filter((sequence) => !bury.includes(sequence)),
    bury: bury.map((sequence) => deadRow(sequence)),
    hold: hold === undefined ? undefined : [{ key: 'k', sequences: ascending(hold) }],
    history: settle === undefined ? undefined : [historyRow(settle, settle, { at: settle })],
  }
}

function applyToModel(model: Model, commit: ModelCommit): readonly AppendResult[] | string {
  const { events, cursor, stream, ledger } = commit
  if (ledger !== undefined && ledger.stale !== 0) return 'stale-epoch'
  if (stream?.expect !== undefined) {
    if (stream.expect !== model.stream.length) return 'expect'
    const ids = events.map(([id]) => id)
    if (new Set(ids).size < ids.length || model.log.some(({ id }) => ids.includes(id))) return 'known'
  }
  const results = events.map(([id, content]): AppendResult => {
    const known = model.log.find((entry) => entry.id === id)
    if (known !== undefined) {
      const isSame = known.content === content || known.sequence <= model.pruned
      return { status: isSame ? 'duplicate' : 'conflict', sequence: known.sequence }
    }
    const sequence = ++model.head
    model.log.push({ id, content, sequence })
    if (stream !== undefined) model.stream.push(sequence)
    return { status: 'stored', sequence }
  })
  if (cursor !== undefined) model.cursor = String(cursor)
  if (ledger !== undefined) applyLedger(model, ledger)
  return results
}

function applyLedger(model: Model, change: ModelChange): void {
  const { put = [], remove = [], bury = [], unbury = [], hold, settle } = change
  for (const sequence of remove) model.rows.delete(sequence)
  for (const sequence of put) model.rows.add(sequence)
  for (const sequence of unbury) model.dead.delete(sequence)
  for (const sequence of bury) model.dead.add(sequence)
  if (hold !== undefined) model.held = ascending(hold)
  if (settle !== undefined) {
    model.examined = settle
    model.history.push({ sequence: settle, at: settle })
  }
}

async function pruneStep(store: Store, model: Model, step: Extract<ModelStep, { kind: 'prune' | 'forget-history' }>) {
  if (step.kind === 'prune') {
    model.pruned = Math.max(model.pruned, Math.min(step.events, model.head))
    while ((await store.prune({ events: step.events })).events > 0);
    return
  }
  model.base += model.history.filter(({ at }) => at < step.before).length
  model.history = model.history.filter(({ at }) => at >= step.before)
  while ((await store.prune({ historyBeforeMs: step.before })).history > 0);
}

async function compare(store: Store, model: Model, when: string): Promise<void> {
  const kept = model.log.filter(({ sequence }) => sequence > model.pruned)
  const events = await store.read(0, 10_000)
  same(
    events.map(({ sequence, id, data }) => [sequence, id, data]),
    kept.map(({ sequence, id, content }) => [sequence, String(id), content]),
    when,
  )
  same([store.head(), store.oldest()], [model.head, model.pruned + 1], when)
  same(await store.cursor('shop'), model.cursor, when)
  const streamed = model.stream.map((sequence, index) => [index + 1, sequence] as const)
  const stream = await store.readStream('stream', 0, 10_000)
  same(
    [stream.version, stream.events.map(({ version, event: { sequence } }) => [version, sequence])],
    [model.stream.length, streamed.filter(([, sequence]) => sequence > model.pruned)],
    when,
  )
  for (let at = model.pruned; at <= model.head; at++) {
    const version = model.stream.filter((sequence) => sequence <= at).length
    same(await store.versionAt('stream', at), version, when)
  }
  same(sequencesOf(await store.rows('crm', { limit: 10_000 })), ascending([...model.rows]), when)
  same(sequencesOf(await store.dead('crm', { limit: 10_000 })), ascending([...model.dead]), when)
  same(await store.held('crm'), model.held.length === 0 ? [] : [{ key: 'k', sequences: model.held }], when)
  const { rows } = await store.history('crm', { limit: 10_000 })
  same(
    rows.map(({ first }) => first),
    ascending(
      model.history.map(({ sequence }) => sequence),
      true,
    ),
    when,
  )
  same(await store.historyBase('crm'), model.base === 0 ? {} : { delivered: model.base }, when)
  const [ledger] = await store.ledgers()
  assert.ok(ledger !== undefined, when)
  const needed = [...model.rows, ...model.held]
  same(
    [ledger.epoch, ledger.examined, ledger.openRows, ledger.deadRows, ledger.lowestRow],
    [
      model.epoch,
      model.examined,
      needed.length,
      model.dead.size,
      needed.length === 0 ? undefined : Math.min(...needed),
    ],
    when,
  )
}

function ascending(numbers: readonly number[], withRepeats = false): number[] {
  return [...(withRepeats ? numbers : new Set(numbers))].sort((a, b) => a - b)
}

/** Steps that follow from a seed, for suites without a property-testing library. */
export function randomSteps(random: () => number, count: number): ModelStep[] {
  const below = (limit: number) => Math.floor(random() * limit)
  const some = <T>(make: () => T, most = 4): T[] => Array.from({ length: below(most) }, make)
  const sequence = () => 1 + below(12)
  const maybe = <T>(make: () => T, chance = 0.3): T | undefined => (random() < chance ? make() : undefined)
  const change = (): ModelChange => ({
    stale: maybe(() => 1, 0.1) ?? 0,
    put: some(sequence),
    remove: some(sequence),
    bury: some(sequence, 2),
    unbury: some(sequence, 2),
    hold: maybe(() => some(sequence)),
    settle: maybe(sequence),
  })
  const commit = (): ModelCommit => ({
    events: some(() => [below(30), below(2)] as const),
    cursor: maybe(() => below(100)),
    stream: maybe(() => ({ expect: maybe(() => below(4), 0.5) })),
    ledger: maybe(change, 0.7),
  })
  const step = (): ModelStep => {
    const drawn = below(12)
    if (drawn === 0) return { kind: 'take-over' }
    if (drawn === 1) return { kind: 'prune', events: below(15) }
    if (drawn === 2) return { kind: 'forget-history', before: below(12) }
    if (drawn === 3) return { kind: 'reopen' }
    return { kind: 'commit', commits: some(commit) }
  }
  return Array.from({ length: count }, step)
}
