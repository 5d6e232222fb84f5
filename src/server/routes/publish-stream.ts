import { AppError, messageOf } from '../../core/errors.ts'
import type { CheckedEvent } from '../../core/event-check.ts'
import { createLineCutter } from '../../core/line-cutter.ts'
import { ingestMany, resultText } from '../admit.ts'
import type { Call } from '../context.ts'
import { hoppedBy } from '../hopped.ts'
import type { Answer } from '../http.ts'
import type { ReadBody } from '../read-body.ts'
import { readLimits } from '../reading.ts'

/** Events of one commit at most: the answer to the first of them waits for the last. */
const maxCommit = 1_000

/**
 * Takes a stream of events, one a line. What arrived together is one commit, and its results go out as soon as it is stored;
 * only then is more read, so a slow disk slows the sender. A cut leaves the events before it stored.
 */
export async function publishStream(call: Call): Promise<Answer> {
  const { streams } = call.context
  streams.enter()
  const results = resultLines(call)
  try {
    // The first results decide whether the answer is an error: after them the status is out.
    const first = await results.next()
    return { status: 200, type: 'application/x-ndjson', body: continued(first, results, () => streams.leave(0)) }
  } catch (error) {
    streams.leave(0)
    throw error
  }
}

async function* continued(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void>,
  leave: () => void,
): AsyncGenerator<string, void> {
  try {
    if (first.done === true) return
    yield first.value
    yield* rest
  } catch (error) {
    yield `${lastLine(error)}\n`
  } finally {
    leave()
  }
}

/** The stream ends early: this line says why, and that what was not answered has to be sent again. */
function lastLine(error: unknown): string {
  const code = error instanceof AppError ? error.code : 'internal'
  const message = error instanceof AppError ? messageOf(error) : 'something unexpected happened'
  const outcome = code === 'store-indeterminate' ? ',"outcome":"indeterminate"' : ''
  return `{"status":"ended","error":${JSON.stringify({ code, message })}${outcome}}`
}

/** Undefined for one that was longer than allowed. */
type LineBytes = Uint8Array | undefined

async function* resultLines(call: Call): AsyncGenerator<string, void> {
  const { request, context } = call
  const cutter = createLineCutter(context.limits.bodyBytes)
  const hopped = hoppedBy(request)
  let number = 0
  const store = async (lines: readonly LineBytes[]): Promise<string> => {
    const numbers: number[] = []
    const events: CheckedEvent[] = []
    for (const line of lines) {
      number += 1
      const reading = readLine(line, call)
      const event = reading instanceof Promise ? await reading : reading
      if (event === undefined) continue
      numbers.push(number)
      events.push(hopped(event))
    }
    if (events.length === 0) return ''
    const results = await ingestMany(events, call.caller, context)
    const { durability } = context.pipeline.store
    return results
      .map((result, i) => `${resultText(result, `,"durability":"${durability}","line":${numbers[i]}`)}\n`)
      .join('')
  }
  for await (const chunk of request.chunks(context.idleMs, context.draining)) {
    const lines: LineBytes[] = []
    cutter.push(chunk, (line) => lines.push(line))
    for (let from = 0; from < lines.length; from += maxCommit) {
      const text = await store(lines.slice(from, from + maxCommit))
      if (text !== '') yield text
    }
  }
  const last: LineBytes[] = []
  cutter.end((line) => last.push(line))
  const text = await store(last)
  if (text !== '') yield text
}

type LineEvent = CheckedEvent | undefined

/** The event of a line; undefined for a blank one. */
function readLine(line: LineBytes, { context }: Call): LineEvent | Promise<LineEvent> {
  const { limits, bodies } = context
  if (line === undefined) {
    return {
      ok: false,
      issues: [{ code: 'body-too-large', message: `the line is longer than ${limits.bodyBytes} bytes` }],
    }
  }
  try {
    const reading = bodies.read(line, { kind: 'line' }, readLimits(limits))
    return reading instanceof Promise ? reading.then(eventOfLine, unreadableLine) : eventOfLine(reading)
  } catch (error) {
    return unreadableLine(error)
  }
}

function eventOfLine({ result }: ReadBody): LineEvent {
  return result.ok ? result.events[0] : { ok: false, issues: result.issues }
}

function unreadableLine(error: unknown): LineEvent {
  return { ok: false, issues: [{ code: 'body-malformed', message: messageOf(error) }] }
}
