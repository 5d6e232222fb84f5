import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rememberedMs } from './ended-batches.ts'
import type { Batch, Refused } from './lease.ts'
import type { BatchRow } from './ledger-state.ts'
import { mostLoose } from './open-batches.ts'
import { Shelf } from './shelf.ts'

function shelfOn(rows: Map<string, BatchRow>, epoch = 1, mostOffers = Number.POSITIVE_INFINITY): Shelf {
  const write = (batch: string, row: BatchRow | undefined): void => {
    if (row === undefined) rows.delete(batch)
    else rows.set(batch, row)
  }
  return new Shelf({ epoch, mostOffers, write })
}

function shelfWith(
  sequences: readonly number[],
  keyOf: (sequence: number) => string | undefined = () => undefined,
  mostOffers?: number,
) {
  const rows = new Map<string, BatchRow>()
  const shelf = shelfOn(rows, 1, mostOffers)
  for (const sequence of sequences) shelf.arrive(sequence, keyOf(sequence), false, 0)
  return { shelf, rows }
}

const sequencesOf = ({ items }: Pick<Batch, 'items'>): number[] => [...items.keys()]

function fetch(shelf: Shelf, limit: number, now: number, leaseMs = 10, proof = 'p'): Batch {
  const batch = shelf.take(limit)
  shelf.offer(batch, proof, now, leaseMs)
  return batch
}

/** What is stored, opened again by another owner with these deliveries open. */
function reopened(rows: Map<string, BatchRow>, open: readonly number[], now: number, mostOffers?: number): Shelf {
  const shelf = shelfOn(rows, 2, mostOffers)
  shelf.restore([...rows.values()], now)
  for (const sequence of open) shelf.arrive(sequence, undefined, false, now)
  shelf.restored(now)
  return shelf
}

const because = (answer: unknown): string => (answer as Refused).because

describe('a shelf', () => {
  test('offers the oldest first, and nothing that is with a client', () => {
    // S0-28 G23
    const { shelf } = shelfWith([5, 1, 3, 2])
    const first = fetch(shelf, 2, 0)
    expect(sequencesOf(first)).toEqual([1, 2])
    expect(shelf.waiting).toBe(2)
    expect(sequencesOf(fetch(shelf, 9, 0))).toEqual([3, 5])
    expect(sequencesOf(shelf.take(9))).toEqual([])
    expect([shelf.waiting, shelf.isReady]).toEqual([0, false])
  })

  test('what nobody confirms in time is offered again before what is newer, its count one higher', () => {
    // S0-29 G23
    const { shelf } = shelfWith([1, 2, 3])
    fetch(shelf, 2, 0)
    expect(shelf.nextDue()).toBe(10)
    expect(shelf.lapse(9).items).toEqual([])
    expect(shelf.lapse(10).items.map(({ sequence }) => sequence)).toEqual([1, 2])
    const again = fetch(shelf, 9, 11)
    expect([...again.items.values()].map(({ sequence, count }) => [sequence, count])).toEqual([
      [1, 2],
      [2, 2],
      [3, 1],
    ])
  })

  test('a batch that lapsed may be confirmed until part of it is offered again; then it changes nothing', () => {
    // G23
    const { shelf } = shelfWith([1, 2, 3, 4])
    const [one, two] = [fetch(shelf, 2, 0), fetch(shelf, 2, 0)]
    shelf.lapse(10)
    expect(shelf.confirm(one.id, 'p', undefined, 10)).toMatchObject({
      kind: 'done',
      items: [{ sequence: 1 }, { sequence: 2 }],
    })
    fetch(shelf, 1, 11)
    expect(shelf.confirm(two.id, 'p', [4], 12)).toEqual({ kind: 'refused', because: 'again', elsewhere: [3] })
    fetch(shelf, 1, 13)
    expect(because(shelf.confirm(two.id, 'p', undefined, 14))).toBe('again')
    expect(because(shelf.extend(two.id, 'p', 99, 14))).toBe('again')
  })

  test('a confirm may name some: the rest stays leased, and the same confirm again changes nothing', () => {
    // K11 G23
    const { shelf, rows } = shelfWith([1, 2, 3])
    const batch = fetch(shelf, 3, 0)
    expect(shelf.confirm(batch.id, 'p', [2, 2, 77], 1)).toMatchObject({ kind: 'done', items: [{ sequence: 2 }] })
    expect(shelf.confirm(batch.id, 'p', [2], 2)).toEqual({ kind: 'done', items: [], isLate: false })
    expect(rows.get(batch.id)).toMatchObject({ state: 'leased', sequences: [1, 3], isConfirmed: true })
    expect(shelf.waiting).toBe(0)
    expect(shelf.confirm(batch.id, 'p', undefined, 3)).toMatchObject({ items: [{ sequence: 1 }, { sequence: 3 }] })
    expect(shelf.confirm(batch.id, 'p', undefined, 4)).toEqual({ kind: 'done', items: [], isLate: false })
    expect(shelf.release(batch.id, 'p', undefined, 4, 4)).toEqual({ kind: 'done', items: [], dying: [] })
    expect(because(shelf.extend(batch.id, 'p', 9, 4))).toBe('confirmed')
    expect(because(shelf.confirm(batch.id, 'p', undefined, 3 + rememberedMs))).toBe('unknown')
  })

  test('only the receipt of the batch acts', () => {
    const { shelf } = shelfWith([1])
    const batch = fetch(shelf, 1, 0)
    expect(because(shelf.confirm(batch.id, 'other', undefined, 1))).toBe('receipt')
    expect(because(shelf.release(batch.id, 'other', undefined, 1, 1))).toBe('receipt')
    expect(because(shelf.extend(batch.id, 'other', 9, 1))).toBe('receipt')
    for (const id of ['1-99', '7-1', 'x', '']) expect(because(shelf.confirm(id, 'p', undefined, 1))).toBe('unknown')
    expect(shelf.find(1)!.place).toBe('leased')
  })

  test('what is released is offered again at once, or when its delay is over, and was not confirmed', () => {
    // G23
    const { shelf, rows } = shelfWith([1, 2, 3])
    const batch = fetch(shelf, 3, 0)
    expect(shelf.release(batch.id, 'p', [1], 1, 1)).toMatchObject({ kind: 'done', items: [{ sequence: 1 }], dying: [] })
    expect(shelf.release(batch.id, 'p', [1, 99], 1, 1)).toEqual({ kind: 'done', items: [], dying: [] })
    expect(shelf.release(batch.id, 'p', undefined, 50, 1)).toMatchObject({ items: [{ sequence: 2 }, { sequence: 3 }] })
    expect(because(shelf.confirm(batch.id, 'p', undefined, 2))).toBe('released')
    expect(shelf.release(batch.id, 'p', undefined, 2, 2)).toMatchObject({ kind: 'done', items: [] })
    expect(shelf.waiting).toBe(3)
    expect(sequencesOf(fetch(shelf, 9, 3, 5))).toEqual([1])
    expect(shelf.lapse(49).items).toHaveLength(1)
    expect(shelf.lapse(50).items).toEqual([])
    expect([...fetch(shelf, 9, 51).items.values()].map(({ sequence, count }) => [sequence, count])).toEqual([
      [1, 3],
      [2, 2],
      [3, 2],
    ])
    expect([...rows.values()].filter((row) => row.kind === 'offered')).toHaveLength(1)
    // What was given back has a name that nobody was told.
    expect(because(shelf.confirm('1-2', '', undefined, 52))).toBe('unknown')
  })

  test('a batch of which part was confirmed and the rest released counts as confirmed', () => {
    const { shelf } = shelfWith([1, 2])
    const batch = fetch(shelf, 2, 0)
    shelf.confirm(batch.id, 'p', [1], 1)
    shelf.release(batch.id, 'p', undefined, 1, 1)
    expect(shelf.confirm(batch.id, 'p', [1], 2)).toEqual({ kind: 'done', items: [], isLate: false })
  })

  test('a new deadline counts from when it is given, and only while the lease holds', () => {
    const { shelf } = shelfWith([1])
    const batch = fetch(shelf, 1, 0)
    expect(shelf.extend(batch.id, 'p', 30, 5)).toMatchObject({ kind: 'done', items: [{ sequence: 1 }] })
    expect(shelf.lapse(29).items).toEqual([])
    expect(shelf.extend(batch.id, 'p', 25, 6)).toMatchObject({ kind: 'done' })
    expect(shelf.lapse(25).items).toHaveLength(1)
    expect(because(shelf.extend(batch.id, 'p', 99, 31))).toBe('expired')
    expect(because(shelf.release(batch.id, 'p', undefined, 31, 31))).toBe('expired')
  })

  test('without a lease batches overlap, and what one of them confirms comes in none', () => {
    // S0-90
    const { shelf } = shelfWith([1, 2, 3])
    const [a, b] = [fetch(shelf, 2, 0, 0), fetch(shelf, 3, 0, 0)]
    expect([sequencesOf(a), sequencesOf(b)]).toEqual([
      [1, 2],
      [1, 2, 3],
    ])
    expect(shelf.find(1)!.count).toBe(2)
    expect(shelf.waiting).toBe(3)
    expect(shelf.confirm(a.id, 'p', undefined, 1)).toMatchObject({ items: [{ sequence: 1 }, { sequence: 2 }] })
    expect(because(shelf.release(b.id, 'p', undefined, 1, 1))).toBe('loose')
    expect(because(shelf.extend(b.id, 'p', 9, 1))).toBe('loose')
    expect(shelf.confirm(b.id, 'p', undefined, 1)).toMatchObject({ items: [{ sequence: 3 }] })
    expect(shelf.confirm(b.id, 'p', undefined, 1)).toEqual({ kind: 'done', items: [], isLate: false })
    expect(shelf.waiting).toBe(0)
  })

  test('a lease wins over batches without one, whichever came first', () => {
    const { shelf } = shelfWith([1, 2])
    const loose = fetch(shelf, 1, 0, 0)
    const leased = fetch(shelf, 1, 0)
    expect(shelf.confirm(loose.id, 'p', undefined, 1)).toEqual({ kind: 'refused', because: 'again', elsewhere: [1] })
    shelf.lapse(10)
    const later = fetch(shelf, 1, 11, 0)
    expect(because(shelf.confirm(leased.id, 'p', undefined, 12))).toBe('again')
    expect(shelf.confirm(later.id, 'p', undefined, 12)).toMatchObject({ items: [{ sequence: 1 }] })
    expect(shelf.confirm(loose.id, 'p', undefined, 12)).toEqual({ kind: 'done', items: [], isLate: false })
  })

  test('batches without a lease are remembered in bounded number and for a day', () => {
    const { shelf, rows } = shelfWith([1])
    const first = fetch(shelf, 1, 0, 0)
    for (let i = 0; i < mostLoose; i++) fetch(shelf, 1, 1, 0)
    expect(because(shelf.confirm(first.id, 'p', undefined, 2))).toBe('unknown')
    expect(rows.size).toBe(mostLoose)
    fetch(shelf, 1, 1 + rememberedMs, 0)
    expect(rows.size).toBe(mostLoose)
  })

  test('events of one key are with one batch at a time, several of them in order; other keys go on', () => {
    // G8 G16
    const { shelf } = shelfWith([1, 2, 3, 4, 5], (sequence) => (sequence % 2 === 0 ? 'even' : 'odd'))
    const odd = shelf.take(3)
    expect(sequencesOf(odd)).toEqual([1, 2, 3])
    shelf.offer(odd, 'p', 0, 10)
    expect(sequencesOf(shelf.take(9))).toEqual([])
    shelf.confirm(odd.id, 'p', [2], 1)
    expect(sequencesOf(fetch(shelf, 9, 1))).toEqual([4])
    shelf.confirm(odd.id, 'p', [1], 2)
    expect(sequencesOf(shelf.take(9))).toEqual([])
    shelf.confirm(odd.id, 'p', [3], 2)
    expect(sequencesOf(shelf.take(9))).toEqual([5])
  })

  test('a key waits for its delayed event; one that is settled meanwhile is waited for no more', () => {
    const { shelf } = shelfWith([1, 2, 3], () => 'k')
    const batch = fetch(shelf, 1, 0)
    expect(sequencesOf(shelf.take(9))).toEqual([])
    shelf.release(batch.id, 'p', undefined, 50, 1)
    expect(sequencesOf(shelf.take(9))).toEqual([])
    shelf.remove(2, 2)
    shelf.remove(1, 2)
    expect(sequencesOf(shelf.take(9))).toEqual([3])
    expect(shelf.lapse(50).items).toEqual([])
  })

  test('a parked key waits until its dead letter is gone or back', () => {
    const { shelf } = shelfWith([1, 2], () => 'k')
    shelf.park('k', 9)
    expect(sequencesOf(shelf.take(9))).toEqual([])
    shelf.unpark('k', 8)
    shelf.unpark('other', 9)
    expect(sequencesOf(shelf.take(9))).toEqual([])
    shelf.unpark('k', 9)
    expect(sequencesOf(shelf.take(9))).toEqual([1, 2])
  })

  test('what was offered as often as it may be is not offered again, whether it lapsed or was released', () => {
    const { shelf, rows } = shelfWith([1, 2, 3], () => undefined, 1)
    const [one, two] = [fetch(shelf, 1, 0), fetch(shelf, 1, 0)]
    expect(shelf.release(two.id, 'p', undefined, 5, 1)).toMatchObject({ dying: [{ sequence: 2 }] })
    expect(shelf.lapse(10)).toMatchObject({ items: [{ sequence: 1 }], dying: [{ sequence: 1 }] })
    expect(sequencesOf(shelf.take(9))).toEqual([3])
    const after = reopened(rows, [1, 2, 3], 11, 1)
    expect([1, 2, 3].map((sequence) => after.find(sequence)!.place)).toEqual(['dying', 'dying', 'ready'])
    expect(shelf.confirm(one.id, 'p', undefined, 11)).toMatchObject({ items: [{ sequence: 1 }] })
    shelf.remove(2, 11)
    expect(shelf.find(2)).toBeUndefined()
  })

  test('what is settled elsewhere leaves its batch; the last one ends it', () => {
    const { shelf, rows } = shelfWith([1, 2])
    const batch = fetch(shelf, 2, 0)
    shelf.remove(1, 1)
    shelf.remove(77, 1)
    expect(rows.get(batch.id)).toMatchObject({ sequences: [2] })
    shelf.lapse(10)
    shelf.remove(2, 11)
    expect(because(shelf.confirm(batch.id, 'p', undefined, 12))).toBe('again')
  })

  test('a confirm that comes while its deliveries are being offered again wins', () => {
    const { shelf } = shelfWith([1, 2])
    const batch = fetch(shelf, 2, 0)
    shelf.lapse(10)
    const [next, last] = [shelf.take(1), shelf.take(1)]
    expect(shelf.confirm(batch.id, 'p', undefined, 10)).toMatchObject({ kind: 'done' })
    expect(shelf.offer(next, 'q', 11, 10)).toBe(false)
    shelf.putBack(last, [...last.items.values()])
    expect(shelf.waiting).toBe(0)
  })

  test('what is put back goes with the next batch', () => {
    const { shelf } = shelfWith([1, 2, 3])
    const batch = shelf.take(3)
    shelf.putBack(batch, [...batch.items.values()].slice(1))
    expect(sequencesOf(batch)).toEqual([1])
    expect(sequencesOf(shelf.take(9))).toEqual([2, 3])
  })

  test('another owner finds leases, counts, delays and ends as they were', () => {
    // K10 K11 G23
    const { shelf, rows } = shelfWith([1, 2, 3, 4, 5, 6])
    const [one, two, three] = [fetch(shelf, 2, 0, 100), fetch(shelf, 2, 0), fetch(shelf, 1, 0)]
    shelf.lapse(10)
    shelf.confirm(one.id, 'p', [1], 11)
    shelf.confirm(three.id, 'p', undefined, 11)
    const late = fetch(shelf, 1, 12, 100)
    shelf.release(late.id, 'p', undefined, 50, 13)
    const loose = fetch(shelf, 2, 14, 0)
    const after = reopened(rows, [2, 3, 4, 6], 15)
    expect(after.waiting).toBe(3)
    expect(after.nextDue()).toBe(50)
    expect(after.confirm(three.id, 'p', undefined, 16)).toEqual({ kind: 'done', items: [], isLate: false })
    expect(because(after.confirm(two.id, 'p', undefined, 16))).toBe('again')
    expect(after.confirm(loose.id, 'p', [6], 16)).toMatchObject({ items: [{ sequence: 6 }] })
    expect(after.confirm(one.id, 'p', undefined, 16)).toMatchObject({ items: [{ sequence: 2 }] })
    after.lapse(50)
    expect([...fetch(after, 9, 51).items.values()].map(({ sequence, count }) => [sequence, count])).toEqual([
      [3, 3],
      [4, 3],
    ])
  })

  test('a stored batch of which nothing is open any more ends at the next start', () => {
    const { shelf, rows } = shelfWith([1])
    const batch = fetch(shelf, 1, 0)
    const after = reopened(rows, [], 1)
    expect(rows.has(batch.id)).toBe(false)
    expect(after.confirm(batch.id, 'p', undefined, 1)).toEqual({ kind: 'done', items: [], isLate: false })
  })

  test('deliveries and deadlines that are over are not kept', () => {
    const { shelf } = shelfWith([])
    for (let sequence = 1; sequence <= 5000; sequence++) {
      shelf.arrive(sequence, undefined, false, 0)
      if (sequence % 2 === 0) shelf.remove(sequence - 1, 0)
      else {
        const batch = fetch(shelf, 1, 0, 1e9)
        shelf.confirm(batch.id, 'p', undefined, 0)
      }
    }
    for (let sequence = 5001; sequence <= 9000; sequence++) {
      shelf.arrive(sequence, undefined, false, 0)
      shelf.remove(sequence, 0)
    }
    shelf.arrive(9001, undefined, false, 0)
    const last = fetch(shelf, 1, 1, 10)
    expect(sequencesOf(last).length).toBe(1)
  })
})

/**
 * The model: what each open delivery is doing, found by looking at everything, every time. Batches know what of them is
 * left; a delivery's newest offer says who may act on it.
 */
interface ModelEvent {
  readonly key: string | undefined
  count: number
  newest: ModelBatch | undefined
  /** Not offered before this time. */
  from: number
}
interface ModelBatch {
  readonly id: string
  readonly isLoose: boolean
  readonly all: readonly number[]
  readonly left: Set<number>
  deadline: number
  isReleased: boolean
  isConfirmed: boolean
  /** Part of it was offered again, or all that was left of it given up. */
  isOver?: boolean
}

/** A lease that was given back is newer than the batches without one before it. */
const givenBack: ModelBatch = {
  id: '',
  isLoose: false,
  all: [],
  left: new Set(),
  deadline: 0,
  isReleased: true,
  isConfirmed: false,
}

class Model {
  readonly open = new Map<number, ModelEvent>()
  readonly batches: ModelBatch[] = []

  isLeased(sequence: number, now: number): boolean {
    const { newest } = this.open.get(sequence)!
    return newest !== undefined && !newest.isLoose && newest.left.has(sequence) && newest.deadline > now
  }

  offerable(limit: number, now: number): number[] {
    const closed = new Set<string>()
    for (const [sequence, { key, from }] of this.open)
      if (key !== undefined && (this.isLeased(sequence, now) || from > now)) closed.add(key)
    return [...this.open]
      .filter(([sequence, { key, from }]) => !this.isLeased(sequence, now) && from <= now && !closed.has(key ?? ''))
      .map(([sequence]) => sequence)
      .sort((a, b) => a - b)
      .slice(0, limit)
  }

  /** Whether a receipt may confirm these, and which of them that would settle. */
  confirmable(batch: ModelBatch, wanted: readonly number[] | undefined): number[] | 'refused' | 'released' {
    const left = [...batch.left].filter((sequence) => this.open.has(sequence))
    if (batch.isLoose) {
      const chosen = left.filter((sequence) => wanted?.includes(sequence) ?? true)
      const isTaken = chosen.some((sequence) => this.open.get(sequence)!.newest?.isLoose === false)
      return isTaken ? 'refused' : chosen
    }
    if (batch.isOver === true || left.some((sequence) => this.open.get(sequence)!.newest !== batch)) return 'refused'
    if (left.length === 0 && batch.isReleased && !batch.isConfirmed) return 'released'
    return left.filter((sequence) => wanted?.includes(sequence) ?? true)
  }
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('arrive'), key: fc.nat(3) } as const) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('fetch'),
      limit: fc.integer({ min: 1, max: 4 }),
      lease: fc.constantFrom(0, 5, 20, 20),
    } as const),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('confirm'),
      which: fc.nat(12),
      some: fc.option(fc.subarray([0, 1, 2, 3]), { nil: undefined }),
    } as const),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('release'),
      which: fc.nat(12),
      some: fc.option(fc.subarray([0, 1, 2, 3]), { nil: undefined }),
      delay: fc.constantFrom(0, 0, 7),
    } as const),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('extend'), which: fc.nat(12), lease: fc.constantFrom(5, 20) } as const),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.constantFrom(1, 5, 10, 30) } as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('settle'), which: fc.nat(6) } as const) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash') } as const) },
)

describe('against a simple model', () => {
  test('any interleaving of clients, deadlines and crashes offers and settles what the model does', () => {
    // G23 K10 K11 S0-29 S0-90
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, hasKeys) => {
        const rows = new Map<string, BatchRow>()
        let epoch = 1
        let shelf = shelfOn(rows, epoch)
        const model = new Model()
        let now = 0
        let head = 0
        for (const step of steps) {
          shelf.lapse(now)
          const batch =
            'which' in step && model.batches.length > 0
              ? model.batches.at(-1 - (step.which % model.batches.length))
              : undefined
          const some =
            'some' in step && batch !== undefined ? step.some?.flatMap((at) => batch.all[at] ?? []) : undefined
          if (step.kind === 'arrive') {
            const key = hasKeys ? `k${step.key}` : undefined
            shelf.arrive(++head, key, false, now)
            model.open.set(head, { key, count: 0, newest: undefined, from: 0 })
          } else if (step.kind === 'fetch') fetchBoth(shelf, model, step.limit, step.lease, now)
          else if (step.kind === 'wait') now += step.ms
          else if (step.kind === 'settle') {
            const sequence = model.offerable(10, now)[step.which]
            if (sequence !== undefined) {
              shelf.remove(sequence, now)
              const { newest } = model.open.get(sequence)!
              model.open.delete(sequence)
              if (newest !== undefined && ![...newest.left].some((other) => model.open.has(other))) newest.isOver = true
            }
          } else if (step.kind === 'crash') {
            epoch += 1
            shelf = shelfOn(rows, epoch)
            shelf.restore([...rows.values()], now)
            for (const [sequence, { key }] of model.open) shelf.arrive(sequence, key, false, now)
            shelf.restored(now)
          } else if (batch !== undefined && step.kind === 'confirm') confirmBoth(shelf, model, batch, some, now)
          else if (batch !== undefined && step.kind === 'release')
            releaseBoth(shelf, model, batch, some, now + step.delay, now)
          else if (batch !== undefined && step.kind === 'extend') extendBoth(shelf, model, batch, now + step.lease, now)
          compare(shelf, model, now)
        }
      }),
      { numRuns: 1500 },
    )
  })
})

function fetchBoth(shelf: Shelf, model: Model, limit: number, leaseMs: number, now: number): void {
  const expected = model.offerable(limit, now)
  const batch = shelf.take(limit)
  expect(sequencesOf(batch)).toEqual(expected)
  if (expected.length === 0) return
  shelf.offer(batch, 'p', now, leaseMs)
  const made: ModelBatch = {
    id: batch.id,
    isLoose: leaseMs === 0,
    all: expected,
    left: new Set(expected),
    deadline: now + leaseMs,
    isReleased: false,
    isConfirmed: false,
  }
  model.batches.push(made)
  for (const sequence of expected) {
    const event = model.open.get(sequence)!
    event.count += 1
    if (event.newest?.isLoose === false) event.newest.isOver = true
    event.newest = made
    expect(shelf.find(sequence)!.count).toBe(event.count)
  }
}

function confirmBoth(
  shelf: Shelf,
  model: Model,
  batch: ModelBatch,
  some: readonly number[] | undefined,
  now: number,
): void {
  const wanted = model.confirmable(batch, some)
  const answer = shelf.confirm(batch.id, 'p', some, now)
  if (typeof wanted === 'string') {
    expect(answer.kind).toBe('refused')
    return
  }
  expect(answer.kind).toBe('done')
  expect((answer.kind === 'done' ? answer.items : []).map(({ sequence }) => sequence).sort()).toEqual(
    [...wanted].sort(),
  )
  for (const sequence of wanted) {
    model.open.delete(sequence)
    batch.left.delete(sequence)
    batch.isConfirmed = true
  }
}

function releaseBoth(
  shelf: Shelf,
  model: Model,
  batch: ModelBatch,
  some: readonly number[] | undefined,
  until: number,
  now: number,
): void {
  const left = [...batch.left].filter(
    (sequence) => model.open.has(sequence) && model.open.get(sequence)!.newest === batch,
  )
  const isHeld = !batch.isLoose && batch.deadline > now && left.length > 0
  const answer = shelf.release(batch.id, 'p', some, until, now)
  if (!isHeld) {
    if (answer.kind === 'done') expect(answer.items).toEqual([])
    return
  }
  const wanted = left.filter((sequence) => some?.includes(sequence) ?? true)
  expect(answer).toMatchObject({ kind: 'done', dying: [] })
  expect((answer.kind === 'done' ? answer.items : []).map(({ sequence }) => sequence).sort()).toEqual(
    [...wanted].sort(),
  )
  for (const sequence of wanted) {
    batch.left.delete(sequence)
    Object.assign(model.open.get(sequence)!, { newest: givenBack, from: until })
  }
  if (wanted.length > 0) batch.isReleased = true
}

function extendBoth(shelf: Shelf, model: Model, batch: ModelBatch, deadline: number, now: number): void {
  const isHeld = !batch.isLoose && batch.deadline > now && [...batch.left].some((sequence) => model.open.has(sequence))
  expect(shelf.extend(batch.id, 'p', deadline, now).kind).toBe(isHeld ? 'done' : 'refused')
  if (isHeld) batch.deadline = deadline
}

function compare(shelf: Shelf, model: Model, now: number): void {
  shelf.lapse(now)
  const leased = [...model.open.keys()].filter((sequence) => model.isLeased(sequence, now))
  expect([...model.open.keys()].filter((sequence) => shelf.find(sequence)!.place === 'leased')).toEqual(leased)
  expect(shelf.waiting).toBe(model.open.size - leased.length)
  for (const [sequence, { count }] of model.open) expect(shelf.find(sequence)!.count).toBe(count)
}

test('a delivery that somebody else settled ends its batch: one without a lease as confirmed, a leased one as given again', () => {
  const [loose, leased] = [shelfWith([1]).shelf, shelfWith([1]).shelf]
  const [first, second] = [fetch(loose, 1, 0, 0), fetch(leased, 1, 0)]
  for (const shelf of [loose, leased]) shelf.remove(1, 1)
  expect(because(loose.extend(first.id, 'p', 9, 2))).toBe('confirmed')
  expect(because(leased.extend(second.id, 'p', 9, 2))).toBe('again')
  loose.remove(99, 2)
})
