import { encodeBase64 } from './base64.ts'

/** A place in the log: a positive safe integer, in order of commit, never reused. 0 means "before the first event". */
export type Sequence = number

/** A JSON value, as data and meta hold it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * What a producer hands in: a CloudEvents-shaped fact.
 * `source` and `id` together name the event for ever; sending the same pair again stores nothing new.
 */
export interface EventInput<Data = unknown> {
  readonly source: string
  readonly id: string
  /** Dot-separated segments, for example `order.placed`. */
  readonly type: string
  /** The entity the fact is about; the default ordering and coalescing key. */
  readonly subject?: string | undefined
  /** When it happened in the source's world (RFC 3339 text or a Date). Defaults to the time of append. */
  // biome-ignore lint/style/noRestrictedGlobals: the type of what a producer may give; no clock is read here
  readonly time?: string | Date | undefined
  /**
   * Deliver it no earlier (RFC 3339 text or a Date, at most a year ahead). It is stored at once, and travels as the meta
   * entry `notbefore`.
   */
  // biome-ignore lint/style/noRestrictedGlobals: the type of what a producer may give; no clock is read here
  readonly notBefore?: string | Date | undefined
  /** A JSON value, or bytes when `datacontenttype` is not JSON. */
  readonly data?: Data | undefined
  /** Extensions: free context that is not part of the fact. */
  readonly meta?: Readonly<Record<string, unknown>> | undefined
  readonly datacontenttype?: string | undefined
  readonly dataschema?: string | undefined
}

/** An event as it is written: every field already checked, and data and meta as the very text that is stored. */
export interface EventRecord {
  readonly source: string
  readonly id: string
  readonly type: string
  readonly subject?: string | undefined
  /** The producer's own text; absent when the producer gave no time. */
  readonly time?: string | undefined
  /** JSON text, or bytes when `datacontenttype` is not JSON; absent when the event has no data. */
  readonly data?: string | Uint8Array | undefined
  /** JSON text of an object; absent when empty. */
  readonly meta?: string | undefined
  readonly datacontenttype?: string | undefined
  readonly dataschema?: string | undefined
}

/** A record with its place in the log and the store's own time (milliseconds since 1970). */
export interface StoredRecord extends EventRecord {
  readonly sequence: Sequence
  readonly appendedAt: number
  /** The replay that delivers it. Only on the way out; never stored. */
  readonly replayid?: string | undefined
}

const noMeta: Readonly<Record<string, Json>> = Object.freeze({})

/**
 * An event as stages and sinks see it: immutable, data parsed on first use and deeply frozen,
 * because one object serves every subscription that reads the tail of the log.
 */
export class Event<Data = Json> {
  readonly sequence: Sequence
  readonly source: string
  readonly id: string
  readonly type: string
  readonly subject: string | undefined
  /** The stored form; sinks that pass data on unparsed read it here. */
  readonly record: StoredRecord
  #data: unknown
  #isFrozen = false
  #meta: Readonly<Record<string, Json>> | undefined

  constructor(record: StoredRecord) {
    this.sequence = record.sequence
    this.source = record.source
    this.id = record.id
    this.type = record.type
    this.subject = record.subject
    this.record = record
    Object.freeze(this)
  }

  /** When it happened in the source's world, RFC 3339; the time of append when the producer gave none. */
  get time(): string {
    return this.record.time ?? this.recordedtime
  }

  /** When the store took it, RFC 3339 with milliseconds. */
  get recordedtime(): string {
    return timeText(this.record.appendedAt)
  }

  get data(): Data {
    if (!this.#isFrozen) {
      const data = this.peek()
      if (!(data instanceof Uint8Array)) deepFreeze(data)
      this.#isFrozen = true
    }
    return this.#data as Data
  }

  /** The data for code of the engine that only looks: freezing costs half of what parsing does. */
  peek(): unknown {
    if (this.#data === undefined) {
      const { data } = this.record
      this.#data = typeof data === 'string' ? JSON.parse(data) : data
    }
    return this.#data
  }

  get meta(): Readonly<Record<string, Json>> {
    if (this.#meta === undefined) {
      const { meta } = this.record
      this.#meta = meta === undefined ? noMeta : (deepFreeze(JSON.parse(meta)) as Record<string, Json>)
    }
    return this.#meta
  }

  /** The replay that delivers it; undefined for live traffic. */
  get replayid(): string | undefined {
    return this.record.replayid
  }

  get datacontenttype(): string | undefined {
    return this.record.datacontenttype
  }

  get dataschema(): string | undefined {
    return this.record.dataschema
  }

  /** What `JSON.stringify` shows: the fields as they are read here, without those it has not; bytes as `data_base64`. */
  toJSON(): Readonly<Record<string, unknown>> {
    const { source, id, type, subject, time, recordedtime, data, replayid, datacontenttype, dataschema } = this
    const isBytes = (data as unknown) instanceof Uint8Array
    const fields = {
      source,
      id,
      type,
      subject,
      time,
      recordedtime,
      // One that was only emitted has no place in the log.
      sequence: this.sequence > 0 ? this.sequence : undefined,
      replayid,
      datacontenttype,
      dataschema,
      meta: this.record.meta === undefined ? undefined : this.meta,
      data: isBytes ? undefined : data,
      data_base64: isBytes ? encodeBase64(data as Uint8Array) : undefined,
    }
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  }
}

let knownSecond = -1
let knownText = ''

/** Milliseconds since 1970 as RFC 3339 text in UTC. Events come in order of time, so the text of the last second is kept. */
export function timeText(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== knownSecond) {
    knownText = new globalThis.Date(second * 1000).toISOString().slice(0, 20)
    knownSecond = second
  }
  return `${knownText}${String(Math.floor(ms) - second * 1000).padStart(3, '0')}Z`
}

/** Freezes a JSON value and everything below it, without recursion; bytes are left as they are. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  const open: object[] = [value]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    Object.freeze(next)
    for (const child of Object.values(next)) {
      if (typeof child === 'object' && child !== null && !Object.isFrozen(child)) open.push(child)
    }
  }
  return value
}
