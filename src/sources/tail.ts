import { basename, join } from 'node:path'
import { eventTypeOption } from '../io/event-type.ts'
import { openFolderWatch } from '../io/folder-watch.ts'
import { globProblem } from '../io/glob.ts'
import { createPause } from '../io/pause.ts'
import { defineSource } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Source } from '../plugin/source.ts'
import { count, duration, size } from '../plugin/values.ts'
import { formats } from './tail/events.ts'
import { createFiles } from './tail/files.ts'
import { targetOf } from './tail/find.ts'
import type { Followed } from './tail/follow.ts'
import { takeLines } from './tail/lines.ts'
import { cursorOf, parseCursor } from './tail/position.ts'

const path = schema
  .string()
  .min(1)
  .superRefine((text, context) => {
    const wrong = globProblem(text.replaceAll(/(^|\/)\.\.?(?=\/)/g, '$1x'))
    if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
  })

const options = schema
  .strictObject({
    path: path
      .describe('The file to follow, or a pattern such as ./logs/*.log or ./logs/**/*.log. It need not be there yet.')
      .optional(),
    paths: schema.array(path).min(1).max(100).describe('Several files or patterns, instead of path.').optional(),
    from: schema
      .enum(['start', 'end'])
      .default('start')
      .describe(
        'Where files begin that are there at the very first start. Files that come later begin at their start.',
      ),
    format: schema
      .enum(formats)
      .default('text')
      .describe(
        'text: { line } is the data. json: each line is the data. ndjson: a line that is an event is taken as it is.',
      ),
    eventType: eventTypeOption('The type of the events; a line that cannot be read has .unreadable after it.').prefault(
      'tail.line',
    ),
    maxLine: size('The longest line; a longer one is left out and told of as unreadable.').prefault('256KiB'),
    every: duration('How often to look, where the operating system does not tell of changes.', 10).prefault('1s'),
    linger: duration('How long a file that was renamed or removed is still read after it last grew.').prefault('1m'),
    followLinks: schema
      .boolean()
      .default(false)
      .describe('True: files that are symbolic links are followed to what they lead to, wherever that is.'),
    maxFiles: count('Files that are followed at a time, at most; more are an error.').default(1000),
  })
  .superRefine((given, context) => {
    if ((given.path === undefined) === (given.paths === undefined))
      context.addIssue({ code: 'custom', path: ['path'], message: 'give either path or paths' })
  })
type Options = ReturnType<typeof options.parse>

/**
 * Brings in the lines of files that grow.
 * - A file is known by device, inode and its first bytes. So a log that is rotated, by a rename and a new file or by a copy
 *   and a truncation, is read on to its end under its old name and from its start under the new one.
 * - A line counts when its newline is there. Blank lines are left out. A line that is too long, not UTF-8 or not JSON where
 *   it should be comes as an event of type `<eventType>.unreadable` without its content.
 * - The position of every file is the cursor, stored with the lines it covers; ids come from file and place.
 */
export const tail = defineSource({
  name: 'tail',
  summary: 'Follows files that grow, line by line, through rotation and truncation.',
  options,
  example: { path: './logs/*.log' },
  create: (checked, { directory }): Source => createTail(checked, directory),
})

/** Between a hint that something changed and looking: a burst of lines costs one look. */
const gatherMs = 20
/** Looking for files takes at most a twentieth of the time. */
const restPerWork = 20

/** Beyond it, looking at every file is as quick. */
const maxPaths = 10_000

function createTail(checked: Options, directory: string): Source {
  const { format, eventType: type, maxLine, every, linger, followLinks, maxFiles } = checked
  const targets = (checked.paths ?? [checked.path ?? '']).map((each) => targetOf(each, directory))
  return {
    async *read(cursor, context) {
      const { clock, signal } = context
      const hints = createHints()
      const stored = parseCursor(cursor)
      const files = createFiles(stored ?? [], {
        targets,
        maxLineBytes: maxLine,
        maxFiles,
        followLinks,
        lingerMs: linger,
        context,
        onFolder: hints.watch,
      })
      const lines = { format, type, cursor: () => cursorOf(files.positions(), clock.now(), 2 * maxFiles) }
      const pause = createPause(context)
      let findAt = Number.NEGATIVE_INFINITY
      let hasMore = false
      let from = stored === undefined ? checked.from : 'start'
      try {
        while (!signal.aborted) {
          const hint = hints.next()
          const { paths, hasMoves } = hints.taken()
          const began = clock.monotonic()
          const isWhole = began >= findAt || hasMoves
          if (isWhole) {
            await files.find(from)
            from = 'start'
            findAt = clock.monotonic() + Math.max(every, (clock.monotonic() - began) * restPerWork)
          }
          // Where files begin is kept at once: what is written while the process is down must not be passed over.
          if (cursor === undefined) yield { events: [], cursor: lines.cursor() }
          cursor ??= ''
          const some: readonly Followed[] =
            isWhole || hasMore ? files.open : files.open.filter(({ path }) => paths.has(path))
          hasMore = yield* takeLines(files, some, lines, context)
          if (hasMore) continue
          await pause(Math.max(1, Math.min(every, findAt - clock.monotonic())), hint)
          if (!(await context.sleep(gatherMs))) return
        }
      } finally {
        hints.close()
        await files.close()
      }
    },
  }
}

/** What the operating system says of the folders that files are in, gathered between two looks. */
function createHints() {
  let wake = Promise.withResolvers<void>()
  let paths = new Set<string>()
  let hasMoves = false
  const watched = new Set<string>()
  const watch = openFolderWatch(({ folder, name, isMove }) => {
    // Where the folder itself came or went, its watch may see nothing more.
    if (isMove && (name === undefined || name === basename(folder))) watched.delete(folder)
    hasMoves ||= isMove
    if (name !== undefined && paths.size < maxPaths) paths.add(join(folder, name))
    hasMoves ||= paths.size === maxPaths
    wake.resolve()
  })
  return {
    watch(folder: string): void {
      if (watched.has(folder)) return
      watched.add(folder)
      // Refused or not: everything is looked at now and then anyway.
      watch.add(folder)
    },
    taken() {
      const taken = { paths, hasMoves }
      paths = new Set()
      hasMoves = false
      return taken
    },
    /** Resolves at the first hint from now on. */
    next(): Promise<void> {
      wake = Promise.withResolvers<void>()
      return wake.promise
    },
    close: () => watch.close(),
  }
}
