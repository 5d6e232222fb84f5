import type { Sequence } from './event.ts'
import { Heap } from './heap.ts'
import { KeyGates } from './key-gates.ts'
import type { Batch, Item, Place } from './lease.ts'

/** The heap may hold this many more than there are deliveries before it is cleared of those that are gone. */
const slack = 1024

/**
 * The deliveries on a shelf, each in one place, and the keys between them. Those that are ready come out the oldest first,
 * and those whose key is with another batch only when it is back.
 */
export class ShelfItems {
  readonly #items = new Map<Sequence, Item>()
  readonly #ready = new Heap<Item>((a, b) => a.sequence < b.sequence)
  readonly #gates = new KeyGates()
  #waiting = 0

  /** Those that are not with a client. */
  get waiting(): number {
    return this.#waiting
  }

  /** True when one can perhaps be taken now. */
  get isReady(): boolean {
    return this.#ready.size > 0
  }

  find(sequence: Sequence): Item | undefined {
    return this.#items.get(sequence)
  }

  add(item: Item, place: 'leased' | 'delayed' | 'dying' | 'ready'): void {
    this.#items.set(item.sequence, item)
    if (place === 'leased') this.#gates.hold(item.key, item.batch!)
    else if (place === 'ready') this.#show(item)
    else this.#stop(item, place)
  }

  /** Puts the next one into the batch; false when none may go there now. */
  takeInto(batch: Batch): boolean {
    for (let item = this.#ready.pop(); item !== undefined; item = this.#ready.pop()) {
      if (item.place !== 'ready') continue
      if (this.#gates.enter(item.key, batch)) {
        this.#put(item, 'taken')
        batch.items.set(item.sequence, item)
        return true
      }
      this.#put(item, 'blocked')
      this.#gates.wait(item.key!, item)
    }
    return false
  }

  /** A taken one goes to a client. */
  lease(item: Item): void {
    this.#put(item, 'leased')
  }

  /** One that was taken or leased is anybody's again. */
  bringBack(item: Item): void {
    const opened = this.#gates.leave(item.key)
    this.#show(item)
    this.#open(opened)
  }

  /** As `bringBack`, but it and its key wait until `letGo`, or until it is settled. */
  holdBack(item: Item, place: 'delayed' | 'dying'): void {
    const opened = this.#gates.leave(item.key)
    this.#stop(item, place)
    this.#open(opened)
  }

  letGo(item: Item): void {
    const opened = this.#gates.go(item.key)
    this.#show(item)
    this.#open(opened)
  }

  /** It is settled. */
  end(item: Item): void {
    const { place, key } = item
    this.#put(item, 'gone')
    this.#items.delete(item.sequence)
    if (place === 'taken' || place === 'leased') this.#open(this.#gates.leave(key))
    if (place === 'delayed' || place === 'dying') this.#open(this.#gates.go(key))
  }

  park(key: string, behind: Sequence): void {
    this.#gates.park(key, behind)
  }

  unpark(key: string, behind: Sequence): void {
    this.#open(this.#gates.unpark(key, behind))
  }

  #stop(item: Item, place: 'delayed' | 'dying'): void {
    this.#put(item, place)
    this.#gates.stop(item.key)
  }

  #open(items: readonly Item[]): void {
    for (const item of items) if (item.place === 'blocked') this.#show(item)
  }

  #show(item: Item): void {
    this.#put(item, 'ready')
    this.#ready.push(item)
    if (this.#ready.size > 2 * this.#items.size + slack) this.#ready.keep(({ place }) => place === 'ready')
  }

  #put(item: Item, place: Place): void {
    this.#waiting += Number(isWaiting(place)) - Number(isWaiting(item.place))
    item.place = place
  }
}

function isWaiting(place: Place): boolean {
  return place !== 'leased' && place !== 'gone'
}
