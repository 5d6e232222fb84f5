import type { StageResult } from '../stage.ts'

/**
 * What a stage answered, as it may leave its thread: whatever will be JSON is made so here, where classes still have their
 * `toJSON`. So the answer means the same as without the thread. Throws what cannot be JSON.
 */
export function leavingResult(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null) return answer
  const { context, event, derive, keep, ...rest } = answer as StageResult
  return {
    ...rest,
    ...(context !== undefined && { context: asJson(context, 'its context') }),
    ...(event !== undefined && { event: leavingEvent(event) }),
    ...(derive !== undefined && { derive: Array.isArray(derive) ? derive.map(leavingEvent) : derive }),
    ...(keep !== undefined && { keep: asJson(keep, 'what it keeps') }),
  }
}

/** A field that is not there stays away: there, it would replace the event's. */
function leavingEvent(event: unknown): object {
  const fields = Object.entries(event as object).map(([field, value]) => [
    field,
    field === 'data' || field === 'meta' ? asJson(value, `the ${field} of an event`) : (value as unknown),
  ])
  return Object.fromEntries(fields) as object
}

function asJson(value: unknown, what: string): unknown {
  if (value === undefined || value instanceof Uint8Array) return value
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new Error(`${what} is a function or symbol, which JSON cannot hold`)
  return JSON.parse(text)
}
