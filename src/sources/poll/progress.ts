import type { Bookmark, Target } from './bookmark.ts'
import { type CursorValue, compareValues, earlierValue, writeTime } from './cursor-value.ts'
import type { PollOptions } from './options.ts'

/** What decides where a page leads. */
export interface PageFacts {
  /** How many items it has. */
  readonly count: number
  /** By `cursor`. */
  readonly cursor?: CursorValue | undefined
  /** By `cursorField`: of its first, its last, and its newest item. */
  readonly first?: CursorValue | undefined
  readonly last?: CursorValue | undefined
  readonly high?: CursorValue | undefined
  /** By `next`. */
  readonly next?: CursorValue | undefined
  /** By `more`; undefined without that option. */
  readonly more?: boolean | undefined
  /** Wall times. */
  readonly askedMs: number
  readonly answeredMs: number
}

/** Where a page leads. */
export interface Step {
  /** To be stored with the page's events. */
  readonly bookmark: Bookmark
  /** What to ask for at once; absent when everything there is was read. */
  readonly next?: Target | undefined
  /** Why reading cannot go on, although there is more. */
  readonly problem?: string | undefined
}

type Options = Pick<
  PollOptions,
  'cursor' | 'cursorField' | 'next' | 'start' | 'since' | 'overlap' | 'timeFormat' | 'pageSize' | 'more'
>

const defaultOverlapMs = 1_000

/** The first request of a poll; a text says why there is none. */
export function firstTarget(bookmark: Bookmark, options: Options, nowMs: number): Target | string {
  if (bookmark.unfinished !== undefined) {
    const { from, isStart, page } = bookmark.unfinished
    return { from, isStart, page }
  }
  const { cursor, cursorField, start, since, overlap, timeFormat } = options
  const { value, lagMs = 0 } = bookmark
  if (value === undefined && start !== undefined) return { from: start }
  if (value === undefined || (cursor === undefined && cursorField === undefined))
    return since === undefined ? {} : { from: writeTime(nowMs - since, timeFormat), isStart: true }
  const overlapMs = overlap ?? (cursorField === undefined ? 0 : defaultOverlapMs)
  if (overlapMs === 0) return { from: value }
  const from = earlierValue(value, overlapMs + Math.ceil(lagMs / 1000) * 1000, timeFormat)
  if (from !== undefined) return { from }
  // A cursor that is no time has nothing to overlap; only who asked for it must know.
  return overlap === undefined
    ? { from: value }
    : 'the cursor is not a time, so there is no overlap: set timeFormat, or leave overlap out'
}

/**
 * Decides what a page means. The bookmark's value moves only when a reading has come to its end, so that rows which come late
 * into a part that was read already are met again by the overlap; until then the bookmark holds where the reading goes on.
 * `seen` holds the tokens and cursors that this poll has followed.
 */
export function advance(
  bookmark: Bookmark,
  target: Target,
  page: PageFacts,
  options: Options,
  seen: ReadonlySet<CursorValue>,
): Step {
  const { value, lagMs, unfinished } = bookmark
  const beganMs = unfinished?.beganMs ?? page.askedMs
  const high = later(unfinished?.high, page, options)
  const isAhead = options.next !== undefined || isBeyond(page, target, options)
  const tookMs = unfinished === undefined ? 0 : isAhead ? page.answeredMs - beganMs : unfinished.tookMs
  const end: Step = { bookmark: { value: later(value, { ...page, cursor: high, high }, options), lagMs: tookMs } }
  const goOn = (next: Target): Step => ({
    bookmark: { value, lagMs, unfinished: { ...next, high, beganMs, tookMs } },
    next,
  })
  if (page.more === false) return end
  if (options.next !== undefined) {
    if (page.next === undefined) return end
    if (!seen.has(page.next)) return goOn({ ...target, page: page.next })
    // Some APIs name the last page as its own successor.
    return page.count === 0 ? end : { bookmark: { value, lagMs }, problem: 'the page tokens go round in a circle' }
  }
  if (options.cursorField !== undefined) {
    if (isLast(page, options)) return end
    const problem = options.pageSize === undefined ? undefined : fullPageProblem(page, target, isAhead, options)
    if (problem !== undefined) return { ...end, problem }
    return isAhead ? goOn({ from: page.high }) : end
  }
  if (!isAhead || page.cursor === undefined) return end
  if (seen.has(page.cursor)) return { ...end, problem: 'the cursors go round in a circle' }
  return goOn({ from: page.cursor })
}

/** True when the page leads further than where it was asked for. */
function isBeyond({ cursor, high, count, more }: PageFacts, { from }: Target, { cursorField }: Options): boolean {
  if (cursorField !== undefined) return high !== undefined && (from === undefined || compareValues(high, from) > 0)
  return cursor !== undefined && cursor !== from && (count > 0 || more === true)
}

function isLast({ count }: PageFacts, { pageSize }: Options): boolean {
  return count === 0 || (pageSize !== undefined && count < pageSize)
}

/** Why nothing can be asked for beyond a full page. */
function fullPageProblem(
  { first, last }: PageFacts,
  { isStart }: Target,
  isAhead: boolean,
  { cursorField }: Options,
): string | undefined {
  const name = cursorField?.text
  if (first !== undefined && last !== undefined && compareValues(first, last) > 0)
    return `a full page has its newest items first, so older ones would be left out: ask for them in the order of ${name}, or set next`
  return isAhead || isStart === true
    ? undefined
    : `the items of a full page all have the same ${name}, so there is no way past it: ask for larger pages, or set next`
}

/** The cursor after a page: of `cursorField` the larger one, of `cursor` the newer one. */
function later(before: CursorValue | undefined, page: PageFacts, { cursorField }: Options): CursorValue | undefined {
  if (cursorField === undefined) return page.cursor ?? before
  if (page.high === undefined || before === undefined) return page.high ?? before
  return compareValues(page.high, before) > 0 ? page.high : before
}
