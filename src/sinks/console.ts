import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { eventToJson } from '../core/cloud-event.ts'
import { messageOf } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import type { Outcome } from '../core/outcome.ts'
import { cutToBytes, escapeControl } from '../io/escape.ts'
import { defineSink } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Sink } from '../plugin/sink.ts'

/** A stream to print to; only a terminal gets colours. */
export type ConsoleStream = Writable & { readonly isTTY?: boolean | undefined }

const options = schema.strictObject({
  format: schema
    .enum(['pretty', 'json'])
    .optional()
    .describe('pretty: for people; json: one CloudEvent per line. Without it: pretty on a terminal, else json.'),
})

/** The sink `console` on another stream, for use in code. */
export function consoleTo(stream: () => ConsoleStream) {
  return defineSink({
    name: 'console',
    summary: 'Prints one line per event on standard output.',
    delivers:
      'At least once to the stream: an event is done when standard output has taken its line. What reads the output may ' +
      'still lose it. While nothing can be written, events wait and are tried again.',
    options,
    example: { format: 'pretty' },
    batch: 256,
    defaults: { concurrency: 1 },
    create: ({ format }): Sink => createConsole(stream, format),
  })
}

/** Prints one line per event on standard output. */
export const consoleSink = consoleTo(() => process.stdout)
export { consoleSink as console }

function createConsole(streamOf: () => ConsoleStream, format: 'pretty' | 'json' | undefined): Sink {
  let stream: ConsoleStream | undefined
  let problem: string | undefined
  // Without a listener the EPIPE of `millrace run | head` would end the process; with one, deliveries wait.
  const onError = (error: Error): void => {
    problem = messageOf(error)
  }
  return {
    open() {
      stream = streamOf()
      stream.on('error', onError)
    },
    async deliver(deliveries) {
      stream ??= streamOf()
      const to = stream
      const isPretty = (format ?? (to.isTTY === true ? 'pretty' : 'json')) === 'pretty'
      const isColoured = to.isTTY === true && !process.env['NO_COLOR']
      const text = deliveries
        .map(({ event, body }) => (isPretty ? prettyLine(event, isColoured) : `${body ?? eventToJson(event)}\n`))
        .join('')
      const failure = problem ?? (await written(to, text))
      if (failure === undefined) return undefined
      const outcome: Outcome = { outcome: 'retry', reason: `the output cannot be written: ${failure}` }
      return deliveries.map(() => outcome)
    },
    close() {
      stream?.off('error', onError)
    },
  }
}

/** Waits until the stream has taken the text, so that a slow terminal slows the subscription and not the memory. */
function written(stream: ConsoleStream, text: string): Promise<string | undefined> {
  if (stream.destroyed || stream.writableEnded) return Promise.resolve('it is closed')
  return new Promise((resolve) => stream.write(text, (error) => resolve(error ? messageOf(error) : undefined)))
}

const shownDataBytes = 2000

/** `12:00:03.123 #42 order.placed order-42 {…} (shop/42)`: time of append, place, what, about whom, data, whence. */
function prettyLine(event: Event, isColoured: boolean): string {
  const colour = (style: 'dim' | 'cyan' | 'bold', text: string): string =>
    isColoured ? styleText(style, text, { validateStream: false }) : text
  const { data, datacontenttype } = event.record
  let shown = ''
  if (data instanceof Uint8Array) shown = `<${data.length} bytes of ${datacontenttype ?? 'data'}>`
  else if (data !== undefined)
    shown = Buffer.byteLength(data) > shownDataBytes ? `${cutToBytes(data, shownDataBytes)}…` : data
  const parts = [
    colour('dim', event.recordedtime.slice(11, -1)),
    colour('bold', `#${event.sequence}`),
    colour('cyan', escapeControl(event.type)),
    event.subject === undefined ? '' : escapeControl(event.subject),
    escapeControl(shown),
    colour('dim', `(${escapeControl(event.source)}/${escapeControl(event.id)})`),
  ]
  return `${parts.filter((part) => part !== '').join(' ')}\n`
}
