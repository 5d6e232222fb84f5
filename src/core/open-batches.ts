import { EndedBatches, rememberedMs } from './ended-batches.ts'
import { Heap } from './heap.ts'
import { type Batch, batchOf, type Done, isDelayed, parseBatch, type Refused, refuse, rowOf } from './lease.ts'
import type { BatchEnd, BatchRow, OfferedRow } from './ledger-state.ts'

/** Batches without a lease that are remembered at once: the oldest go first. */
export const mostLoose = 1000
/** The heap of deadlines may hold this many more than there are batches before it is cleared. */
const slack = 1024

/** Told whenever what is remembered of a batch changes; undefined: nothing any more. */
export type WriteBatch = (batch: string, row: BatchRow | undefined) => void

interface Due {
  readonly at: number
  readonly batch: Batch
}

/** The batches of a subscription: those that are out, those whose deliveries came back, and how the others ended. */
export class OpenBatches {
  readonly #epoch: number
  readonly #write: WriteBatch
  readonly #batches = new Map<string, Batch>()
  readonly #due = new Heap<Due>((a, b) => a.at < b.at)
  readonly #ended: EndedBatches
  /** Oldest first. */
  #loose: Batch[] = []
  #numbers = 0

  constructor(epoch: number, write: WriteBatch) {
    this.#epoch = epoch
    this.#write = write
    this.#ended = new EndedBatches(write)
  }

  /** Takes over what is stored; answers the batches without their deliveries, the newest last. */
  restore(rows: readonly BatchRow[], now: number): { readonly batch: Batch; readonly row: OfferedRow }[] {
    this.#ended.restore(rows.filter((row) => row.kind === 'ended'))
    const offered = rows.filter((row) => row.kind === 'offered').map((row) => ({ batch: batchOf(row), row }))
    offered.sort(({ batch: a }, { batch: b }) => a.epoch - b.epoch || a.number - b.number)
    for (const { batch } of offered) {
      this.#batches.set(batch.id, batch)
      if (batch.state === 'loose') this.#loose.push(batch)
      if (batch.state === 'leased' || isDelayed(batch, now)) this.watch(batch)
    }
    return offered
  }

  /** Batches of which nothing is open any more end. */
  endEmpty(now: number): void {
    for (const batch of this.#batches.values()) if (batch.items.size === 0) this.#finish(batch, 'confirmed', now)
  }

  /** A batch that is being made. It gets its name when it is: polls that find nothing leave no gap in the numbers. */
  begin(): Batch {
    return {
      id: '',
      epoch: this.#epoch,
      number: 0,
      items: new Map(),
      moved: [],
      state: 'taken',
      proof: '',
      deadline: 0,
      isConfirmed: false,
    }
  }

  /** It is made: from now on it is found, and due at its deadline. */
  add(batch: Batch, now: number): void {
    this.#numbers += 1
    batch.number = this.#numbers
    batch.id = `${batch.epoch}-${batch.number}`
    this.#batches.set(batch.id, batch)
    if (batch.state === 'leased' || isDelayed(batch, now)) this.watch(batch)
    if (batch.state === 'loose') this.#boundLoose(batch, now)
    this.#write(batch.id, rowOf(batch))
  }

  /** A batch that a receipt may still act on; or what its end means for a client that asks again. */
  find(
    id: string,
    proof: string,
    now: number,
    repeats: readonly BatchEnd[],
  ): { readonly kind: 'live'; readonly batch: Batch } | Done | Refused {
    const batch = this.#batches.get(id)
    if (batch === undefined || batch.state === 'returned') {
      const name = parseBatch(id)
      const end = name === undefined ? undefined : this.#ended.find(name.epoch, name.number, now)
      if (end === undefined) return refuse('unknown')
      return repeats.includes(end) ? { kind: 'done', items: [] } : refuse(end)
    }
    if (batch.proof !== proof) return refuse('receipt')
    return batch.state === 'stale' ? refuse('again', batch.moved) : { kind: 'live', batch }
  }

  /** Something of it changed; it ends like this when nothing is left of it. */
  keep(batch: Batch, end: BatchEnd, now: number): void {
    if (batch.items.size > 0) this.#write(batch.id, rowOf(batch))
    else this.#finish(batch, end, now)
  }

  /** It has a new deadline. */
  watch(batch: Batch): void {
    this.#due.push({ at: batch.deadline, batch })
    if (this.#due.size > 2 * this.#batches.size + slack) this.#due.keep((due) => this.#isDue(due))
  }

  /** The next batch whose time is up; it is answered once. */
  nextLapsed(now: number): Batch | undefined {
    const at = this.nextDue()
    return at === undefined || at > now ? undefined : this.#due.pop()!.batch
  }

  /** When the next one's time is up. */
  nextDue(): number | undefined {
    for (let next = this.#due.peek(); next !== undefined; next = this.#due.peek()) {
      if (this.#isDue(next)) return next.at
      this.#due.pop()
    }
    return undefined
  }

  #isDue({ at, batch }: Due): boolean {
    const isOut = batch.state === 'leased' || batch.state === 'returned'
    return isOut && at === batch.deadline && this.#batches.has(batch.id)
  }

  #finish(batch: Batch, end: BatchEnd, now: number): void {
    this.#forget(batch)
    if (batch.state !== 'returned') this.#ended.note(batch.epoch, batch.number, end, now)
  }

  #forget(batch: Batch): void {
    this.#batches.delete(batch.id)
    if (batch.state === 'loose') this.#loose = this.#loose.filter((other) => other !== batch)
    this.#write(batch.id, undefined)
  }

  #boundLoose(batch: Batch, now: number): void {
    this.#loose.push(batch)
    const oldest = this.#loose[0]!
    if (this.#loose.length > mostLoose || oldest.deadline <= now - rememberedMs) this.#forget(oldest)
  }
}
