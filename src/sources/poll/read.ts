import { formatDuration } from '../../core/duration.ts'
import { AppError, messageOf } from '../../core/errors.ts'
import type { Json } from '../../core/event.ts'
import type { Platform } from '../../core/platform.ts'
import type { HttpClient } from '../../io/http-client.ts'
import { parseSchedule } from '../../io/schedule.ts'
import type { IngestResult, Source, SourceBatch, SourceContext } from '../../plugin/source.ts'
import type { Answer } from './answer.ts'
import { ask } from './ask.ts'
import { type Bookmark, readBookmark, type Target, writeBookmark } from './bookmark.ts'
import { type CursorValue, cursorValueOf } from './cursor-value.ts'
import { eventsOf, type PageEvents } from './events.ts'
import type { Field, PollOptions } from './options.ts'
import { createPace } from './pace.ts'
import { advance, firstTarget, type PageFacts } from './progress.ts'
import { requestFor } from './request.ts'
import { createValidators, type Validators } from './validators.ts'

/** What one source polls with. */
interface Setup {
  readonly options: PollOptions
  readonly platform: Platform
  readonly client: HttpClient
}

/** Makes the source of checked options. The client is the way out; it is closed with the source. */
export function createPoll(setup: Setup): Source {
  const { options, platform, client } = setup
  const parsed = options.cron === undefined ? undefined : parseSchedule(options.cron, options.timezone)
  if (parsed?.ok === false) throw new AppError('config-invalid', parsed.problem)
  const pace = createPace(options, parsed?.schedule, platform)
  const noteConflicts = createConflictNote()
  return {
    async *read(cursor, context) {
      let bookmark = readBookmark(cursor)
      if (bookmark === undefined) {
        context.log.warn(
          'the stored cursor is not one of poll; reading begins anew, and what is known already is absorbed',
        )
        bookmark = {}
      }
      const validators = createValidators(options, platform, context.state)
      while (await pace.wait(context)) {
        pace.begin()
        try {
          bookmark = yield* pollOnce(setup, bookmark, context, validators, noteConflicts)
        } catch (error) {
          if (context.signal.aborted) return
          throw failureOf(error, pace.failed(retryAfterOf(error)), options)
        }
        pace.done()
      }
    },
    close: () => client.close(),
  }
}

/** Reads from the bookmark to the end, page by page; answers the new bookmark. Throws when it cannot, and says why. */
async function* pollOnce(
  { options, platform, client }: Setup,
  start: Bookmark,
  context: SourceContext,
  validators: Validators,
  noteConflicts: (context: SourceContext, results: readonly IngestResult[]) => void,
): AsyncGenerator<SourceBatch, Bookmark> {
  let bookmark = start
  let target = told(firstTarget(bookmark, options, platform.clock.now()))
  const seen = new Set<CursorValue>()
  for (let pages = 1; ; pages++) {
    const followed = options.next === undefined ? target.from : target.page
    if (followed !== undefined) seen.add(followed)
    const request = told(requestFor(target, options))
    const conditions = pages === 1 && bookmark.unfinished === undefined ? await validators.headersFor(request) : []
    const askedMs = platform.clock.now()
    const answer = await ask(client, request, conditions, options, platform, context.signal)
    if (context.signal.aborted) return bookmark
    if (answer.kind === 'unchanged' && conditions.length > 0) return bookmark
    if (answer.kind !== 'page') {
      if (pages === 1 && isExpired(answer, bookmark)) yield { events: [], cursor: writeBookmark(restarted(bookmark)) }
      throw refusal(answer, bookmark)
    }
    const found = await readPage(answer, target, options, platform)
    const facts = { ...found.facts, askedMs, answeredMs: platform.clock.now() }
    const step = advance(bookmark, target, facts, options, seen)
    const cursor = writeBookmark(step.bookmark)
    if (found.events.length > 0 || cursor !== writeBookmark(bookmark)) {
      const settled = (results: readonly IngestResult[]): void => noteConflicts(context, results)
      yield { events: found.events, cursor, isWhole: true, settled }
    }
    bookmark = step.bookmark
    if (step.problem !== undefined) throw new AppError('plugin-failed', step.problem)
    if (step.next === undefined) {
      await (pages === 1 && start.unfinished === undefined
        ? validators.keep(request, answer.headers)
        : validators.forget())
      return bookmark
    }
    if (pages >= options.maxPages) return bookmark
    target = step.next
  }
}

/** The events of a page, and where it leads. */
async function readPage(
  { body, headers }: Extract<Answer, { kind: 'page' }>,
  target: Target,
  options: PollOptions,
  platform: Platform,
): Promise<PageEvents & { readonly facts: Omit<PageFacts, 'askedMs' | 'answeredMs'> }> {
  const scope = { body, headers, page: target.page ?? null, count: 0 }
  const items = body === null ? [] : itemsOf(options.items, scope)
  const { events, ...marks } = await eventsOf(items, { body, headers }, options, platform)
  const counted = { ...scope, count: items.length }
  const valueAt = (field: Field | undefined): CursorValue | undefined => {
    const value = cursorValueOf(field?.pick(counted))
    if (value === null)
      throw new AppError('plugin-failed', `the value at ${field!.text} is neither a text nor a number`)
    return value
  }
  const more = options.more === undefined ? undefined : Boolean(options.more.pick(counted))
  return {
    events,
    facts: { ...marks, count: items.length, cursor: valueAt(options.cursor), next: valueAt(options.next), more },
  }
}

function itemsOf({ text, pick }: Field, scope: Readonly<Record<string, unknown>>): readonly Json[] {
  const items = pick(scope)
  if (items === null) return []
  if (Array.isArray(items)) return items
  if (typeof items === 'object') return [items as Json]
  throw new AppError('plugin-failed', `the answer has no list of items at ${text}`)
}

/** A page token of an earlier poll may be too old for the server: then reading begins again where everything is known. */
function isExpired(answer: Answer, { unfinished }: Bookmark): boolean {
  return answer.kind === 'failed' && answer.isRefused === true && unfinished?.page !== undefined
}

function restarted({ value, lagMs }: Bookmark): Bookmark {
  return { value, lagMs }
}

function refusal(answer: Exclude<Answer, { kind: 'page' }>, bookmark: Bookmark): AppError {
  if (answer.kind === 'unchanged') return new AppError('plugin-failed', 'status 304, which was not asked for')
  const hint = isExpired(answer, bookmark) ? ': the page token may be too old, so reading begins again' : ''
  const { retryAfterMs } = answer
  return new AppError('plugin-failed', `${answer.reason}${hint}`, { facts: { retryAfterMs } })
}

/** A request or target, or the reason why there is none. */
function told<T>(given: T | string): T {
  if (typeof given === 'string') throw new AppError('plugin-failed', given)
  return given
}

function retryAfterOf(error: unknown): number | undefined {
  const wanted = error instanceof AppError ? error.facts['retryAfterMs'] : undefined
  return typeof wanted === 'number' ? wanted : undefined
}

function failureOf(error: unknown, delayMs: number, { url }: PollOptions): AppError {
  const next = formatDuration(Math.max(1000, Math.round(delayMs / 1000) * 1000))
  const code = error instanceof AppError ? error.code : 'plugin-failed'
  return new AppError(code, `polling ${url.host} failed: ${messageOf(error)}; the next try is in ${next}`, {
    cause: error,
  })
}

/** Says once that an item came again with other content under its old id: that change is not an event. */
function createConflictNote(): (context: SourceContext, results: readonly IngestResult[]) => void {
  let isSaid = false
  return ({ log }, results) => {
    const conflicts = results.filter(({ status }) => status === 'conflict').length
    if (conflicts === 0 || isSaid) return
    isSaid = true
    log.warn(
      'items have changed under their old ids, which makes no new events: put a version into id, as in item.id + "@" + item.updated',
      { conflicts },
    )
  }
}
