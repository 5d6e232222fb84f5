import { hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { eventOf, type SourceEvent } from '../io/event-of.ts'
import { eventTypeOption } from '../io/event-type.ts'
import { createLineReader, type Line, type LineReader } from '../io/line-reader.ts'
import { defineSource } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Source, SourceBatch, SourceContext } from '../plugin/source.ts'
import { size } from '../plugin/values.ts'

const options = schema.strictObject({
  eventType: eventTypeOption('The type of events whose line does not name one.').default('stdin.line'),
  maxLine: size('The longest line.').prefault('1MiB'),
})

/** The source `stdin` on another stream, for use in code. */
export function stdinFrom(stream: () => Readable) {
  return defineSource({
    name: 'stdin',
    summary:
      'Reads NDJSON from standard input: a line that is an event is taken as it is, any other JSON is the data of one. ' +
      'It ends with its input.',
    options,
    example: {},
    create: (checked): Source => createStdin(stream, checked),
  })
}

/** Reads NDJSON from standard input until it ends. */
export const stdin = stdinFrom(() => process.stdin)

const maxBatch = 1000

/**
 * A line without an id gets one from its number and content, so that the same input piped in again is absorbed.
 * What was read and not yet committed is kept here, not in `read`, because input cannot be read twice.
 */
function createStdin(streamOf: () => Readable, { eventType: type, maxLine }: ReturnType<typeof options.parse>): Source {
  let reader: LineReader | undefined
  let waiting: SourceEvent[] = []
  let isEnded = false

  const take = (lines: readonly Line[], context: SourceContext): void => {
    for (const line of lines) {
      const event = eventOfLine(line, type)
      if (event === 'bad')
        context.log.error('a line of standard input is not JSON and was left out', { line: line.number })
      else if (event !== undefined) waiting.push(event)
    }
  }
  return {
    async *read(_, context) {
      reader ??= createLineReader({ maxLineBytes: maxLine })
      const chunks = isEnded ? undefined : streamOf().iterator({ destroyOnReturn: false })
      for (;;) {
        while (waiting.length > 0) {
          const events = waiting.slice(0, maxBatch)
          yield { events } satisfies SourceBatch
          waiting = waiting.slice(events.length)
        }
        if (isEnded || chunks === undefined) return
        const next = await orAborted(chunks.next(), context.signal)
        if (next === 'aborted') return
        if (next.done === true) {
          isEnded = true
          take(reader.end(), context)
        } else {
          take(reader.push(Buffer.from(next.value as Uint8Array | string)), context)
        }
      }
    },
    close() {
      // An open standard input would keep the process alive.
      streamOf().pause()
    },
  }
}

function eventOfLine(line: Line, type: string): SourceEvent | 'bad' | undefined {
  if (line.kind === 'bad') return 'bad'
  if (line.text.trim() === '') return undefined
  let value: unknown
  try {
    value = JSON.parse(line.text)
  } catch {
    return 'bad'
  }
  return (
    eventOf(value) ?? { id: `${line.number}-${hash('sha256', line.text, 'base64url').slice(0, 22)}`, type, data: value }
  )
}

/** What comes next, or that nothing is wanted any more. */
function orAborted<T>(next: Promise<T>, signal: AbortSignal): Promise<T | 'aborted'> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve('aborted')
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    // A race with one promise for all chunks would keep every one of them.
    next.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
