import type { ClientStats, PublishResult } from './types.ts'

/** What is counted while the client works; the rest of its numbers is asked for. */
export type Counters = {
  -readonly [Name in Exclude<keyof ClientStats, 'waiting' | 'inBuffer' | 'sent'>]: ClientStats[Name]
}

export function noCounts(): Counters {
  return {
    published: 0,
    recovered: 0,
    stored: 0,
    duplicates: 0,
    conflicts: 0,
    quarantined: 0,
    refused: 0,
    buffered: 0,
    dropped: 0,
    failed: 0,
    retried: 0,
    damaged: 0,
    lastError: undefined,
  }
}

const counterOf = {
  stored: 'stored',
  duplicate: 'duplicates',
  conflict: 'conflicts',
  quarantined: 'quarantined',
  refused: 'refused',
  buffered: 'buffered',
  dropped: 'dropped',
  unknown: 'failed',
} as const

/** Counts what became of an event. */
export function countResult(counters: Counters, { status }: PublishResult): void {
  counters[counterOf[status]] += 1
}
