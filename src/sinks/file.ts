import { resolve } from 'node:path'
import { eventToJson } from '../core/cloud-event.ts'
import { messageOf } from '../core/errors.ts'
import type { Outcome } from '../core/outcome.ts'
import { defineSink } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Sink } from '../plugin/sink.ts'
import { size } from '../plugin/values.ts'
import { type AppendFile, openAppendFile, type Rotation } from './file/append-file.ts'

const options = schema.strictObject({
  path: schema.string().min(1).describe('The file to append to; made when it is missing. One sink per file.'),
  rotate: schema
    .strictObject({
      size: size('Begin a new file before this one grows beyond this size.').prefault('64MiB'),
      keep: schema
        .int()
        .min(1)
        .max(1000)
        .default(5)
        .describe('How many full files to keep: path.1 is the newest, the oldest is deleted.'),
      daily: schema.boolean().default(false).describe('Also begin a new file with the first event of a day (UTC).'),
    })
    .optional()
    .describe('Without it the file grows for ever.'),
  sync: schema
    .boolean()
    .default(true)
    .describe('true: an event is done when it is on disk; false: when the operating system has it.'),
})

/** Appends each event as one line of JSON to a file. */
export const file = defineSink({
  name: 'file',
  summary: 'Appends each event as one line of JSON (NDJSON) to a file, with rotation.',
  delivers:
    'At least once. With sync (the default) an event is done when its line is on disk; without it, when the operating ' +
    'system has it, so a power cut may lose the last lines. A crash may repeat the last lines and never leaves half a line ' +
    'before another. Rotation deletes the oldest file beyond keep.',
  options,
  example: { path: './events.ndjson' },
  batch: 1000,
  isSingle: true,
  defaults: { concurrency: 1 },
  create: ({ path, rotate, sync }, { directory }): Sink => createFile(resolve(directory, path), rotate, sync),
})

function createFile(path: string, rotate: Rotation | undefined, isSynced: boolean): Sink {
  let appending: AppendFile | undefined
  // Calls may come concurrently; the lines of one batch stay together and a failed write is cut off before the next.
  let queue: Promise<unknown> = Promise.resolve()
  return {
    async open() {
      appending = await openAppendFile({ path, rotate, isSynced })
    },
    deliver(deliveries, { clock }) {
      const work = queue.then(async (): Promise<readonly Outcome[] | undefined> => {
        const lines = Buffer.from(deliveries.map(({ event, body }) => `${body ?? eventToJson(event)}\n`).join(''))
        try {
          appending ??= await openAppendFile({ path, rotate, isSynced })
          await appending.append(lines, clock.now())
          return undefined
        } catch (error) {
          const outcome: Outcome = { outcome: 'retry', reason: `the file could not be written: ${messageOf(error)}` }
          await appending?.close().catch(() => undefined)
          // Opened anew, which also cuts off half a line, and makes the pages that failed to sync dirty again.
          appending = undefined
          return deliveries.map(() => outcome)
        }
      })
      queue = work
      return work
    },
    async close() {
      await queue
      await appending?.close()
      appending = undefined
    },
  }
}
