import { deepFreeze, type Json } from '../core/event.ts'
import type { Ledger } from '../core/ledger.ts'
import type { KeptRow } from '../core/ledger-state.ts'
import type { Keep } from '../plugin/stage.ts'
import type { Store } from '../plugin/store.ts'

/** What a stage has under a key. */
export interface Kept {
  readonly value: Json | undefined
  readonly dueAt: number | undefined
}

/** A stage's new value for a key: null removes it. */
export interface KeptChange {
  /** As JSON; null: removed. */
  readonly text: string | null
  readonly dueAt: number | undefined
}

/** What a stage asks to be kept, checked. Throws for what cannot be stored. */
export function keptChange({ value, dueAt }: Keep): KeptChange {
  if (value === null) return removed
  const text = JSON.stringify(value)
  if (text === undefined) throw new Error('what it keeps is not JSON: give a value, or null to remove it')
  if (text.length > mostCharacters)
    throw new Error(`what it keeps is too large: ${text.length} characters as JSON, ${mostCharacters} at most`)
  if (dueAt !== undefined && !(Number.isSafeInteger(dueAt) && dueAt >= 0))
    throw new Error('dueAt of what it keeps is no time: give whole milliseconds since 1970')
  return { text, dueAt }
}

/** What is kept as a stage sees it, frozen; undefined where nothing is. */
export function keptValue(text: string | null): Json | undefined {
  return text === null ? undefined : deepFreeze(JSON.parse(text) as Json)
}

const removed: KeptChange = Object.freeze({ text: null, dueAt: undefined })
const mostCharacters = 64 * 1024 * 1024

/** A value in memory: as text it takes half the room that it takes as an object. */
interface Entry extends KeptChange {
  /** The number of the change, 0 for what was only read. */
  readonly change: number
}

export interface KeptSurroundings {
  readonly subscription: string
  readonly ledger: Pick<Ledger, 'keep'>
  readonly store: Pick<Store, 'kept'>
  /** Resolves when everything changed so far is in the store. */
  readonly flush: () => Promise<void>
  readonly onDue: (dueAt: number) => void
  /** Nothing is stored of the stage yet. */
  readonly isNew?: boolean | undefined
}

/** Values in memory, and their length in all; beyond, those not used for longest are forgotten once they are stored. */
const mostValues = 200_000
const mostLength = 64 * 1024 * 1024
const readAtOnce = 500

/**
 * The values that one stage keeps by key. A key is one caller's at a time, in the order in which they asked, and each
 * sees the value that the one before it left; what it leaves goes into the ledger's next change, with the delivery that
 * changed it, so that after a crash both or neither are there (G9).
 */
export class KeptValues {
  readonly #stage: string
  readonly #around: KeptSurroundings
  readonly #capacity: number
  readonly #entries = new Map<string, Entry>()
  /** Keys that somebody works on, with what waits for them. */
  readonly #busy = new Map<string, (() => void)[]>()
  #wanted = new Map<string, { resolve(): void; reject(error: unknown): void }[]>()
  #changes = 0
  /** Of all texts together. */
  #length = 0
  #isForgetting = false
  /** All that is stored is in memory, too: what is not there is nowhere. */
  #isWhole: boolean

  constructor(stage: string, around: KeptSurroundings, capacity = mostValues) {
    this.#stage = stage
    this.#around = around
    this.#capacity = capacity
    this.#isWhole = around.isNew === true
  }

  /** Answers what is kept under the key when it is free and in memory, at once where that is so; then it is the caller's. */
  acquire(key: string): Kept | Promise<Kept> {
    const known = this.#entries.get(key) ?? (this.#isWhole ? nothing : undefined)
    if (known === undefined || this.#busy.has(key)) return this.#acquireLater(key)
    this.#busy.set(key, [])
    return keptOf(known)
  }

  /** The caller has done with the key: the next one may have it. */
  release(key: string): void {
    const next = this.#busy.get(key)?.shift()
    if (next === undefined) this.#busy.delete(key)
    else next()
  }

  /** Leaves another value under the key; called by who has the key. */
  set(key: string, { text, dueAt }: KeptChange): void {
    this.#changes += 1
    this.#remove(key)
    this.#add(key, { text, dueAt, change: this.#changes })
    this.#around.ledger.keep({ stage: this.#stage, key, value: text, ...(dueAt !== undefined && { dueAt }) })
    if (dueAt !== undefined) this.#around.onDue(dueAt)
    if (this.#isOver(1) && !this.#isForgetting) void this.#forget()
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry)
    this.#length += entry.text?.length ?? 0
  }

  #remove(key: string): void {
    this.#length -= this.#entries.get(key)?.text?.length ?? 0
    this.#entries.delete(key)
  }

  /** More is in memory than a share of what may be. */
  #isOver(share: number): boolean {
    return this.#entries.size > this.#capacity * share || this.#length > mostLength * share
  }

  async #acquireLater(key: string): Promise<Kept> {
    const line = this.#busy.get(key)
    if (line === undefined) this.#busy.set(key, [])
    else await new Promise<void>((resolve) => line.push(resolve))
    try {
      if (!this.#entries.has(key) && !this.#isWhole) await this.#read(key)
      return keptOf(this.#entries.get(key) ?? nothing)
    } catch (error) {
      this.release(key)
      throw error
    }
  }

  /** Keys that are asked for in one turn are read together. */
  #read(key: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#wanted.size === 0) void Promise.resolve().then(() => this.#readWanted())
      const waiting = this.#wanted.get(key) ?? []
      waiting.push({ resolve, reject })
      this.#wanted.set(key, waiting)
    })
  }

  #readWanted(): void {
    const wanted = [...this.#wanted]
    this.#wanted = new Map()
    for (let at = 0; at < wanted.length; at += readAtOnce) void this.#readSome(wanted.slice(at, at + readAtOnce))
  }

  async #readSome(
    wanted: readonly (readonly [string, readonly { resolve(): void; reject(error: unknown): void }[]])[],
  ) {
    try {
      const keys = wanted.map(([key]) => key)
      const rows = await this.#around.store.kept(this.#around.subscription, { stage: this.#stage, keys })
      const found = new Map(rows.map((row) => [row.key, row]))
      for (const [key, waiting] of wanted) {
        this.#remove(key)
        this.#add(key, entryOf(found.get(key)))
        for (const { resolve } of waiting) resolve()
      }
    } catch (error) {
      for (const [, waiting] of wanted) for (const { reject } of waiting) reject(error)
    }
  }

  /** Only what is stored may be forgotten: what is read again later must be what was last left. */
  async #forget(): Promise<void> {
    this.#isForgetting = true
    const storedUpTo = this.#changes
    try {
      await this.#around.flush()
      for (const [key, { change }] of this.#entries) {
        if (!this.#isOver(0.9)) break
        if (change > storedUpTo || this.#busy.has(key)) continue
        this.#remove(key)
        this.#isWhole = false
      }
    } finally {
      this.#isForgetting = false
    }
  }
}

const nothing: Entry = Object.freeze({ text: null, dueAt: undefined, change: 0 })

function keptOf({ text, dueAt }: Entry): Kept {
  return { value: keptValue(text), dueAt }
}

function entryOf(row: KeptRow | undefined): Entry {
  if (row === undefined || row.value === null) return nothing
  // One that cannot be read is told to who asked first; from here on it is known to be JSON.
  keptValue(row.value)
  return { text: row.value, dueAt: row.dueAt, change: 0 }
}
