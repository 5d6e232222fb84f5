import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Ledger } from './ledger.ts'
import { type DeadRow, type DeliveryRow, noCounters } from './ledger-state.ts'

const empty = {
  start: 0,
  examined: 0,
  follows: false,
  pending: [],
  counters: noCounters,
  state: 'running',
  openRows: 0,
  deadRows: 0,
} as const

function row(sequence: number, key?: string): DeliveryRow {
  return { sequence, state: 'waiting', dueAt: 1, key, done: [], attempt: 1, deaths: 0, attempts: [] }
}

function dead(sequence: number): DeadRow {
  return {
    sequence,
    event: { sequence, appendedAt: 0, source: 's', id: String(sequence), type: 't' },
    reason: 'bad',
    diedAt: 1,
    attemptCount: 3,
    attempts: [],
    done: [],
  }
}

/** What the books say must add up whatever happened. */
function checkBooks(ledger: Ledger, examined: number): void {
  const books = ledger.books(examined)
  const { filtered, delivered, discarded, superseded, expired, dead: died, lost, open } = books
  expect(filtered + delivered + discarded + superseded + expired + died + lost + open).toBe(books.examined)
  expect(filtered).toBeGreaterThanOrEqual(0)
}

describe('ledger', () => {
  test('a delivery moves from pending to delivered and the history says so', () => {
    // G14
    const ledger = new Ledger(empty)
    for (const sequence of [1, 2, 4]) ledger.match(sequence)
    expect(ledger.floor(4)).toBe(0)
    ledger.deliverPending(1)
    ledger.deliverPending(2)
    expect(ledger.floor(4)).toBe(3)
    const delta = ledger.take(77)!
    expect(delta.ledger).toMatchObject({ pending: [4], counters: { matched: 3, delivered: 2, attempts: 2 } })
    expect(delta.history).toEqual([{ first: 1, last: 2, at: 77, runs: [{ from: 1, count: 2, state: 'delivered' }] }])
    expect(ledger.take(78)).toBeUndefined()
    checkBooks(ledger, 4)
  })

  test('pending sequences are written in order though they came back in another', () => {
    const ledger = new Ledger({ ...empty, pending: [5, 6] })
    ledger.match(3)
    expect(ledger.take(1)!.ledger.pending).toEqual([3, 5, 6])
  })

  test('a retry moves the delivery into a row, and the row goes when it is settled', () => {
    const ledger = new Ledger(empty)
    ledger.match(1)
    ledger.putRow(row(1), 'pending')
    expect(ledger.open).toBe(1)
    expect(ledger.floor(3, 1)).toBe(0)
    expect(ledger.take(1)).toMatchObject({ put: [{ sequence: 1 }], remove: [], ledger: { pending: [] } })
    ledger.putRow(row(1), 'row')
    ledger.settle(1, 'delivered', 'row', { attemptCount: 2 })
    expect(ledger.take(2)).toMatchObject({
      put: [],
      remove: [1],
      history: [{ runs: [{ state: 'delivered', attempts: 2 }] }],
    })
    expect(ledger.open).toBe(0)
    checkBooks(ledger, 3)
  })

  test('a row settled before it was ever written is still removed', () => {
    const ledger = new Ledger(empty)
    ledger.match(1)
    ledger.putRow(row(1), 'pending')
    ledger.settle(1, 'discarded', 'row', { reason: 'no', attemptCount: 1 })
    expect(ledger.take(1)).toMatchObject({ put: [], remove: [1] })
  })

  test('a dead letter can be redriven and discarded', () => {
    // G20
    const ledger = new Ledger(empty)
    ledger.match(1)
    ledger.bury(dead(1), 'pending')
    expect(ledger.books(1)).toMatchObject({ dead: 1, open: 0 })
    ledger.putRow(row(1), 'dead')
    expect(ledger.take(1)).toMatchObject({ bury: [], unbury: [1], put: [{ sequence: 1 }] })
    expect(ledger.books(1)).toMatchObject({ dead: 0, open: 1 })
    ledger.bury(dead(1), 'row')
    ledger.settle(1, 'discarded', 'dead', { reason: 'by hand', attemptCount: 3 })
    expect(ledger.counters).toMatchObject({ died: 2, redriven: 1, discarded: 1 })
    checkBooks(ledger, 1)
  })

  test('held sequences are open, in the row of their key', () => {
    const ledger = new Ledger(empty)
    ledger.match(1)
    ledger.match(2)
    ledger.hold('k', [2], [2, 9])
    expect([ledger.pending.size, ledger.openRows, ledger.heldCount, ledger.open]).toEqual([1, 1, 1, 2])
    ledger.settle(2, 'delivered', 'held', { attemptCount: 1 })
    ledger.rewriteHeld('k', [])
    expect(ledger.take(1)).toMatchObject({ hold: [{ key: 'k', sequences: [] }] })
    expect(ledger.heldCount).toBe(0)
  })

  test('what was taken to be written stays as it was while more is held behind the same key', () => {
    // G14: a store writes later; a sequence must not be both pending and held in one commit.
    const ledger = new Ledger(empty)
    const held = [1]
    ledger.match(1)
    ledger.hold('k', held, [1])
    ledger.match(2)
    const taken = ledger.take(1)!
    held.push(2)
    ledger.hold('k', held, [2])
    expect(taken).toMatchObject({ ledger: { pending: [2] }, hold: [{ key: 'k', sequences: [1] }] })
    expect(ledger.take(2)).toMatchObject({ ledger: { pending: [] }, hold: [{ key: 'k', sequences: [1, 2] }] })
  })

  test('what forced retention removed unexamined is lost and keeps the books balanced', () => {
    const ledger = new Ledger(empty)
    ledger.loseUnexamined(10)
    expect(ledger.books(10)).toMatchObject({ lost: 10, filtered: 0 })
    ledger.countAttempts(1, 1)
    ledger.setState('paused', 'by hand')
    ledger.touch()
    expect(ledger.isDirty).toBe(true)
    expect(ledger.take(1)!.ledger).toMatchObject({ state: 'paused', reason: 'by hand' })
  })

  test('whatever order deliveries move in, the books balance and the floor never passes an open one', () => {
    // G14 G17
    const step = fc.record({
      kind: fc.constantFrom('match', 'deliver', 'row', 'settle', 'die', 'redrive', 'drop', 'hold', 'unhold', 'take'),
      pick: fc.nat(50),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const ledger = new Ledger(empty)
        const place = new Map<number, 'pending' | 'row' | 'dead' | 'held'>()
        let examined = 0
        let floor = 0
        const some = (kind: string, pick: number): number | undefined => {
          const at = [...place].filter(([, where]) => where === kind).map(([sequence]) => sequence)
          return at.length === 0 ? undefined : at[pick % at.length]
        }
        for (const { kind, pick } of steps) {
          if (kind === 'match') {
            examined += 1 + (pick % 3)
            ledger.match(examined)
            place.set(examined, 'pending')
          } else if (kind === 'take') ledger.take(1)
          else {
            const from = {
              deliver: 'pending',
              row: 'pending',
              settle: 'row',
              die: 'row',
              redrive: 'dead',
              drop: 'dead',
              hold: 'pending',
              unhold: 'held',
            }[kind]!
            const sequence = some(from, pick)
            if (sequence === undefined) continue
            if (kind === 'deliver') ledger.deliverPending(sequence)
            if (kind === 'row') ledger.putRow(row(sequence), 'pending')
            if (kind === 'settle') ledger.settle(sequence, 'delivered', 'row', { attemptCount: 2 })
            if (kind === 'die') ledger.bury(dead(sequence), 'row')
            if (kind === 'redrive') ledger.putRow(row(sequence), 'dead')
            if (kind === 'drop') ledger.settle(sequence, 'discarded', 'dead', { attemptCount: 2 })
            if (kind === 'hold') ledger.hold('k', [sequence], [sequence])
            if (kind === 'unhold') ledger.settle(sequence, 'delivered', 'held', { attemptCount: 1 })
            const to = new Map([
              ['row', 'row'],
              ['die', 'dead'],
              ['redrive', 'row'],
              ['hold', 'held'],
            ]).get(kind)
            if (to === undefined) place.delete(sequence)
            else place.set(sequence, to as 'row')
          }
          checkBooks(ledger, examined)
          const open = [...place].filter(([, where]) => where !== 'dead').map(([sequence]) => sequence)
          const lowestRow = Math.min(
            ...[...place].filter(([, where]) => where === 'row' || where === 'held').map(([s]) => s),
          )
          floor = ledger.floor(examined, Number.isFinite(lowestRow) ? lowestRow : undefined)
          for (const sequence of open) expect(floor).toBeLessThan(sequence)
          if (open.length === 0) expect(floor).toBe(examined)
          expect(ledger.open).toBe(open.length)
        }
      }),
    )
  })

  test('what is remembered of a batch is written as it is last, and once', () => {
    // G23
    const ledger = new Ledger(empty)
    const batch = { kind: 'ended', batch: 'e', epoch: 1, since: 1, until: 2, runs: [] } as const
    ledger.setBatch('1-1', undefined)
    ledger.setBatch('e', { ...batch, until: 1 })
    ledger.setBatch('e', batch)
    expect(ledger.take(5)).toMatchObject({ batches: [batch], endBatches: ['1-1'] })
    ledger.setBatch('1-1', batch)
    ledger.setBatch('1-1', undefined)
    expect(ledger.take(6)).toMatchObject({ batches: [], endBatches: ['1-1'] })
    expect(ledger.take(7)).toBeUndefined()
  })
})

// G9
test('what a stage keeps is taken with the rest of the change, the last value of each key', () => {
  const ledger = new Ledger({ ...empty, openRows: 0, deadRows: 0 })
  ledger.keep({ stage: 'count', key: 'a', value: '1' })
  ledger.keep({ stage: 'sum', key: 'a', value: '5', dueAt: 9 })
  ledger.keep({ stage: 'count', key: 'a', value: '2' })
  expect(ledger.take(0)?.kept).toEqual([
    { stage: 'count', key: 'a', value: '2' },
    { stage: 'sum', key: 'a', value: '5', dueAt: 9 },
  ])
  expect(ledger.take(0)).toBeUndefined()
})

test('the version of what stages keep stays with the ledger', () => {
  expect(new Ledger({ ...empty, foldVersion: '2' }).snapshot().foldVersion).toBe('2')
  expect('foldVersion' in new Ledger(empty).snapshot()).toBe(false)
  expect(new Ledger({ ...empty, failingSince: 5 }).snapshot().failingSince).toBe(5)
  expect('failingSince' in new Ledger(empty).snapshot()).toBe(false)
})

test('each change is handed over once, of whatever kind it is', () => {
  const ledger = new Ledger({ ...empty, openRows: 0, deadRows: 0 })
  const waiting = { state: 'waiting', dueAt: 1, done: [], attempt: 1, deaths: 0, attempts: [] } as const
  for (let sequence = 1; sequence <= 3; sequence++) ledger.match(sequence)
  ledger.putRow({ sequence: 1, ...waiting }, 'pending')
  ledger.bury({ sequence: 2, reason: 'no', diedAt: 0, attemptCount: 1, attempts: [], done: [] }, 'pending')
  ledger.hold('a', [3], [3])
  ledger.keep({ stage: 'count', key: 'a', value: '1' })
  expect(ledger.take(0)).toMatchObject({
    put: [{ sequence: 1 }],
    bury: [{ sequence: 2 }],
    hold: [{ key: 'a', sequences: [3] }],
    kept: [{ key: 'a' }],
  })
  ledger.settle(1, 'delivered', 'row', { attemptCount: 2, attempts: [] })
  ledger.putRow({ sequence: 2, ...waiting }, 'dead')
  expect(ledger.take(0)).toMatchObject({
    put: [{ sequence: 2 }],
    remove: [1],
    bury: [],
    unbury: [2],
    hold: [],
    kept: [],
  })
  ledger.touch()
  expect(ledger.take(0)).toMatchObject({ put: [], remove: [], bury: [], unbury: [], hold: [], kept: [], history: [] })
})
