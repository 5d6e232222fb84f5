import type { ReadResult } from '../core/cloud-event.ts'
import { AppError } from '../core/errors.ts'
import type { CheckedEvent } from '../core/event-check.ts'
import type { Call } from './context.ts'
import { hoppedBy } from './hopped.ts'
import type { HttpRequest } from './http.ts'
import type { BodyMode } from './media-type.ts'
import type { BodyForm } from './read-body.ts'
import { readLimits } from './reading.ts'

/** Reads the events of a body that is held as a whole, and keeps its place among the requests until they are used. */
export async function takeEvents<T>(
  { request, context }: Pick<Call, 'request' | 'context'>,
  mode: Exclude<BodyMode, 'stream'>,
  use: (events: readonly CheckedEvent[], isBatch: boolean) => Promise<T>,
): Promise<T> {
  const { requests, limits } = context
  requests.enter()
  let held = 0
  try {
    const bytes = await request.readBody(limits.bodyBytes, (more) => {
      requests.hold(more)
      held += more
    })
    const form: BodyForm = mode === 'binary' ? { kind: mode, headers: eventHeaders(request) } : { kind: mode }
    const reading = context.bodies.read(bytes, form, readLimits(limits))
    const { isBatch, result } = reading instanceof Promise ? await reading : reading
    return await use(eventsOf(result).map(hoppedBy(request)), isBatch)
  } finally {
    requests.leave(held)
  }
}

function eventsOf(result: ReadResult): readonly CheckedEvent[] {
  if (result.ok) return result.events
  const [first] = result.issues
  throw new AppError(first?.code ?? 'body-malformed', first?.message ?? 'the body cannot be read')
}

function eventHeaders(request: HttpRequest): Readonly<Record<string, string>> {
  const headers: [string, string][] = []
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string' && (name === 'content-type' || name.startsWith('ce-'))) headers.push([name, value])
  }
  return Object.fromEntries(headers)
}
