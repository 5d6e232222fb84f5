import type { CursorValue } from './cursor-value.ts'

/** A request of a reading: where it goes on from, and on which page. */
export interface Target {
  readonly from?: CursorValue | undefined
  /** `from` is the beginning that `since` asks for, and no cursor. */
  readonly isStart?: boolean | undefined
  readonly page?: CursorValue | undefined
}

/** A reading of several pages that is not at its end. */
export interface Unfinished extends Target {
  /** The newest cursor that it has met; becomes the bookmark's when it ends. */
  readonly high?: CursorValue | undefined
  /** Wall time at which its first page was asked for. */
  readonly beganMs: number
  /** How long after that the last page with something new was there; 0 for the first one, which is of one moment. */
  readonly tookMs: number
}

/** What the source's cursor holds: how far everything was read, and where an unfinished reading goes on. */
export interface Bookmark {
  readonly value?: CursorValue | undefined
  /** How long the reading took that found `value`: rows that came late meanwhile lie so much further back. */
  readonly lagMs?: number | undefined
  readonly unfinished?: Unfinished | undefined
}

/** The bookmark as the source's cursor. */
export function writeBookmark({ value, lagMs, unfinished }: Bookmark): string {
  return JSON.stringify({ value, ...(lagMs !== undefined && lagMs > 0 && { lagMs }), unfinished })
}

/** Reads a cursor back; undefined when it is none of this plug-in. */
export function readBookmark(cursor: string | undefined): Bookmark | undefined {
  if (cursor === undefined) return {}
  try {
    const given: unknown = JSON.parse(cursor)
    return typeof given === 'object' && given !== null && !Array.isArray(given) ? (given as Bookmark) : undefined
  } catch {
    return undefined
  }
}
