import { resolve } from 'node:path'
import { eventTypeOption } from '../io/event-type.ts'
import { createPause } from '../io/pause.ts'
import { defineSource } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Source } from '../plugin/source.ts'
import { duration, size } from '../plugin/values.ts'
import { afterChoices, openFolder } from './directory/finish.ts'
import { createPutAway } from './directory/put-away.ts'
import { createFileReader } from './directory/read.ts'
import { createScanner, matchesName, watchFolder } from './directory/scan.ts'

const options = schema.strictObject({
  path: schema.string().min(1).describe('The drop folder; made when it is missing. Folders in it are not entered.'),
  pattern: schema
    .string()
    .min(1)
    .max(255)
    .default('*')
    .describe('Names of the files to take: * is any run of characters, ? any one.'),
  after: schema
    .enum(afterChoices)
    .default('move')
    .describe('What becomes of a file that is stored: move (into .done), mark (it stays and is remembered) or delete.'),
  settle: duration('How long a file must stay unchanged before it is taken.').prefault('1s'),
  every: duration('How often to look, where the operating system does not tell of changes.', 10).prefault('10s'),
  eventType: eventTypeOption('The type of events that do not name one themselves.').default('file.received'),
  maxLine: size('The longest line of an NDJSON file, and the largest JSON file.').prefault('1MiB'),
})
type Options = ReturnType<typeof options.parse>

/**
 * Takes files that are dropped into a folder.
 * - `.ndjson`, `.jsonl`: one event per line. `.json`: one event, or one per element of an array of events.
 *   A value with `id`, `source` and `type` is the event itself and keeps its id; any other is the data of an event
 *   whose subject is the file's name.
 * - Other files: one event with `{ name, path, size, sha256, text? }`; text when it is UTF-8 of at most 64 KiB.
 * - Ids come from name, content and line: new content under an old name is a new event, the same content is not.
 * - A file goes to `.done` after its events are stored. A malformed one stores nothing and goes to `.failed` with the
 *   reason beside it, as does one with events that were refused (its other events are stored).
 * - Hidden files, names ending in `.tmp` and the like, links and files that still change are left alone. A writer that
 *   pauses longer than `settle` should write under such a name and rename.
 */
export const directory = defineSource({
  name: 'directory',
  summary: 'Takes files that are dropped into a folder: NDJSON by line, JSON and other files whole.',
  options,
  example: { path: './inbox' },
  create: (checked, { directory: base }): Source => createDirectory({ ...checked, path: resolve(base, checked.path) }),
})

/** Between a hint that something changed and looking: a burst of changes costs one look. */
const gatherMs = 50

function createDirectory({ path, pattern, after, settle, every, eventType, maxLine }: Options): Source {
  return {
    async *read(cursor, context) {
      const folder = await openFolder(path, after, context.state)
      const scan = createScanner({
        root: folder.root,
        accepts: (name) => matchesName(pattern, name),
        settleMs: settle,
        clock: context.clock,
        onSkip: (name, reason) => context.log.warn('a file is left alone', { file: name, reason }),
      })
      const putAway = createPutAway(folder, context.log)
      const reader = createFileReader(folder, putAway, { type: eventType, maxLineBytes: maxLine }, context, cursor)
      const watcher = watchFolder(folder.root)
      const pause = createPause(context)
      try {
        while (!context.signal.aborted) {
          // Asked for before looking, so that what comes meanwhile is not missed.
          const hint = watcher.next()
          const { ready, names, nextMs } = await scan()
          yield* reader.batches(ready)
          await putAway.retry()
          await folder.forget(names)
          await pause(Math.min(every, nextMs ?? every), hint)
          if (!(await context.sleep(Math.min(gatherMs, settle)))) return
        }
      } finally {
        watcher.close()
      }
    },
  }
}
