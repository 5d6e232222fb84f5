import { randomUUID } from 'node:crypto'

/** What one run of one variant measured: name → number. Every name says its unit. */
export type Measures = Readonly<Record<string, number>>

export interface VariantContext {
  /** An empty folder on the disk that is measured; removed afterwards. */
  readonly directory: string
  /** Small sizes: shows that the benchmark runs, not what the machine can do. */
  readonly isQuick: boolean
  /** Picks a size. */
  size(full: number, quick: number): number
}

/** One way of doing the work. Runs in a process of its own. */
export type Variant = (context: VariantContext) => Promise<Measures>

/** What the medians must satisfy. */
export interface Target {
  readonly says: string
  /** From the medians of each variant: `of.raw.perSecond`. */
  readonly value: (of: Readonly<Record<string, Measures>>) => number
  readonly at: 'least' | 'most'
  readonly goal: number
  /** False when it means nothing at quick sizes. */
  readonly holdsQuick?: boolean
}

/** One question about speed, answered by running its variants in turn. */
export interface Question {
  readonly ask: string
  /** Runs only with `--long` or by name. */
  readonly isLong?: boolean
  /** Runs the compiled package, as users have it, instead of the sources. */
  readonly isBuilt?: boolean
  /** Flags of Node for a variant. */
  readonly flags?: Readonly<Record<string, readonly string[]>>
  readonly variants: Readonly<Record<string, Variant>>
  readonly targets: readonly Target[]
}

/** Seconds that a task took. */
export async function secondsOf(task: () => Promise<unknown> | unknown): Promise<number> {
  const begin = performance.now()
  await task()
  return (performance.now() - begin) / 1000
}

/** Runs tasks 0 … count − 1, at most `width` at a time. */
export async function inFlight(count: number, width: number, task: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane))
}

/** The value below which a share of the values lies; sorts a copy. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export interface BenchEvent {
  readonly source: string
  readonly id: string
  readonly type: string
  readonly subject: string
  readonly data: Readonly<Record<string, unknown>>
}

/** An event with a random id and about 220 bytes of data. */
export function someEvent(index: number, type = 'order.placed'): BenchEvent {
  return {
    source: 'shop',
    id: randomUUID(),
    type,
    subject: `order-${index % 10_000}`,
    data: {
      number: index,
      customer: { name: 'Ada Lovelace', email: 'ada@example.com', city: 'London', country: 'GB' },
      items: [{ sku: 'A-100', count: 2, price: 1999 }],
      total: 3998,
      currency: 'EUR',
      note: 'leave at the door, ring twice',
      channel: 'web',
    },
  }
}

export function someEvents(count: number, first = 0, type?: string): BenchEvent[] {
  return Array.from({ length: count }, (_, index) => someEvent(first + index, type))
}
