import { hash as digest } from 'node:crypto'
import { resolve } from 'node:path'
import { typeProblem } from '../core/event-fields.ts'
import { isUnfinished } from '../io/file-names.ts'
import { compileGlobs, globProblem } from '../io/glob.ts'
import { createPause } from '../io/pause.ts'
import { defineSource } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Source, SourceBatch, SourceContext } from '../plugin/source.ts'
import { count, duration } from '../plugin/values.ts'
import { changeKinds, type EventOptions, eventOf } from './watch/events.ts'
import { hashFile } from './watch/hash.ts'
import { createRoot, type RootLook } from './watch/root.ts'
import { type Change, openSnapshots, type Snapshots } from './watch/snapshot.ts'
import type { Scope } from './watch/tree.ts'

const glob = schema.string().superRefine((text, context) => {
  const wrong = globProblem(text)
  if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
})
const folder = schema.string().min(1)

const options = schema
  .strictObject({
    path: folder.describe('The folder to watch, with everything below it. It need not be there yet.').optional(),
    paths: schema
      .array(folder)
      .min(1)
      .max(100)
      .describe('Several folders, instead of path. Subjects then begin with the folder as it is written here.')
      .optional(),
    match: schema
      .array(glob)
      .min(1)
      .max(100)
      .describe('Which names: *.csv in any folder, logs/*.txt from the root; * ? [a-z] {a,b} and **. Default: all.')
      .optional(),
    ignore: schema
      .array(glob)
      .max(100)
      .default([])
      .describe('Names that are left out, in the same form; a folder with everything below it.'),
    hidden: schema
      .boolean()
      .default(false)
      .describe('True: also names that begin with a dot or look unfinished (.tmp, .part, .swp, ~ and the like).'),
    events: schema
      .array(schema.enum(changeKinds))
      .min(1)
      .default([...changeKinds])
      .describe('What to tell of.'),
    initial: schema
      .boolean()
      .default(false)
      .describe(
        'True: what is there at the very first start is told as created. False: only what changes from then on.',
      ),
    hash: schema
      .boolean()
      .default(false)
      .describe(
        'True: files of up to 1 GiB carry sha256, and one that is written again with the same content is not told.',
      ),
    typePrefix: schema
      .string()
      .superRefine((text, context) => {
        const wrong = typeProblem(text)
        if (wrong !== undefined) context.addIssue({ code: 'custom', message: `the prefix ${wrong}` })
      })
      .describe('Stands before the type with a dot: docs makes docs.file.created.')
      .optional(),
    settle: duration(
      'How long changes are gathered before they are looked at; a name that is missing for so long is removed.',
      10,
    ).prefault('100ms'),
    every: duration(
      'How often to look at everything, in case the operating system did not tell of a change.',
      100,
    ).prefault('5m'),
    maxFiles: count('Files and folders that are kept in view, at most; more are an error.').default(100_000),
  })
  .superRefine(({ path, paths }, context) => {
    if ((path === undefined) === (paths === undefined))
      context.addIssue({ code: 'custom', path: ['path'], message: 'give either path or paths' })
    const twice = rootsOf({ path, paths }).some((a, n, all) => all.some((b, m) => n !== m && isWithin(a, b)))
    if (twice) context.addIssue({ code: 'custom', path: ['paths'], message: 'one of the folders lies in another' })
  })
type Options = ReturnType<typeof options.parse>

/**
 * Tells of files and folders that are created, changed and removed below one folder or several: `file.created`,
 * `file.changed`, `file.removed`, `folder.created`, `folder.removed`. The subject is the path relative to the folder.
 * - The operating system only hints where to look. What is told is the difference between what is there and what was told
 *   last, so nothing is told twice after a restart and nothing is missed while the process was down.
 * - Changes that follow each other within `settle` are one; a file that is replaced by a rename has changed.
 * - Links are neither followed nor told of. What cannot be read is left as it was.
 */
export const watch = defineSource({
  name: 'watch',
  summary: 'Tells of files and folders that are created, changed and removed.',
  options,
  example: { path: './inbox' },
  create: (checked, { directory }): Source => createWatch(checked, directory),
})

const batchChanges = 500

function createWatch(checked: Options, directory: string): Source {
  const { initial, hash, settle } = checked
  const scope = scopeOf(checked)
  const event = {
    typePrefix: checked.typePrefix === undefined ? '' : `${checked.typePrefix}.`,
    kinds: new Set(checked.events),
  }
  const named = rootsOf(checked).map((written) => {
    const path = resolve(directory, written)
    const subjectPrefix = checked.paths === undefined ? '' : `${written.replace(/^\.\//, '').replace(/\/+$/, '')}/`
    return { path, subjectPrefix, key: digest('sha256', path, 'base64url').slice(0, 12) }
  })
  const keys = new Set(named.map(({ key }) => key))
  const isWanted = (key: string, path: string): boolean => keys.has(key) && (path === '' || scope.reaches(path))

  return {
    async *read(cursor, context) {
      const snapshots = await openSnapshots(cursor, context.state, isWanted)
      const hints = createHints()
      const roots = named.map(({ path, subjectPrefix, key }) => ({
        ...createRoot({
          path,
          scope,
          snapshot: snapshots.of(key),
          context,
          everyMs: checked.every,
          settleMs: settle,
          onHint: hints.wake,
        }),
        event: { ...event, subjectPrefix },
      }))
      const pause = createPause(context)
      try {
        while (!context.signal.aborted) {
          const hint = hints.next()
          for (const root of roots) {
            const look = await root.look()
            if (context.signal.aborted) return
            const isSilent = !root.snapshot.isKnown && !initial
            yield* batchesOf(look, isSilent, root, { snapshots, hash, context })
          }
          await pause(Math.min(...roots.map((root) => root.nextMs())), hint)
          if (!(await context.sleep(settle))) return
        }
      } finally {
        for (const root of roots) root.close()
      }
    },
  }
}

async function* batchesOf(
  { changes, isWhole }: RootLook,
  isSilent: boolean,
  root: Pick<ReturnType<typeof createRoot>, 'snapshot' | 'pathOf'> & { readonly event: EventOptions },
  { snapshots, hash, context }: { snapshots: Snapshots; hash: boolean; context: SourceContext },
): AsyncGenerator<SourceBatch> {
  const mustKnow = isWhole && !root.snapshot.isKnown
  for (let at = 0; at < changes.length || (mustKnow && at === 0); at += batchChanges) {
    const some = changes.slice(at, at + batchChanges)
    const told = hash ? await withHashes(some, root.pathOf, context.signal) : some
    // Cut short by the stop: what was not read to its end is told after the start.
    if (context.signal.aborted) return
    const events = isSilent
      ? []
      : told
          .filter(isNews)
          .flatMap((change) => eventOf(change, root.pathOf(change.path), snapshots.removals, root.event) ?? [])
    const state = root.snapshot.changes(told, mustKnow && at + batchChanges >= changes.length)
    if (state.length === 0) continue
    yield { events, cursor: snapshots.cursor(state) }
    await snapshots.apply(state)
  }
}

/** Files with the hash of their content; one that looks the same and is the same is no change at all. */
async function withHashes(
  changes: readonly Change[],
  pathOf: (path: string) => string,
  signal: AbortSignal,
): Promise<Change[]> {
  const hashed: Change[] = []
  for (const change of changes) {
    const { before, after } = change
    if (after?.kind !== 'file') {
      hashed.push(change)
      continue
    }
    const hash = await hashFile(pathOf(change.path), after, signal)
    if (before?.version === after.version && before.hash === hash) continue
    hashed.push({ ...change, after: hash === undefined ? after : { ...after, hash } })
  }
  return hashed
}

function isNews({ before, after }: Change): boolean {
  return before?.hash === undefined || before.hash !== after?.hash
}

function scopeOf({ match, ignore, hidden, hash, maxFiles }: Options): Scope {
  const isIgnored = compileGlobs(ignore)
  const accepts = (path: string, name: string): boolean => (hidden || !isUnfinished(name)) && !isIgnored(path)
  return {
    accepts,
    reaches(path) {
      for (let from = 0, end = path.indexOf('/'); ; from = end + 1, end = path.indexOf('/', from)) {
        if (!accepts(end < 0 ? path : path.slice(0, end), path.slice(from, end < 0 ? undefined : end))) return false
        if (end < 0) return true
      }
    },
    matches: match === undefined ? () => true : compileGlobs(match),
    byContent: hash,
    maxFiles,
  }
}

function createHints() {
  let wake = Promise.withResolvers<void>()
  return {
    wake: (): void => wake.resolve(),
    /** Resolves at the first hint from now on. */
    next(): Promise<void> {
      wake = Promise.withResolvers<void>()
      return wake.promise
    },
  }
}

function rootsOf({ path, paths }: Pick<Options, 'path' | 'paths'>): readonly string[] {
  return paths ?? (path === undefined ? [] : [path])
}

function isWithin(inner: string, outer: string): boolean {
  return `${resolve('/', inner)}/`.startsWith(`${resolve('/', outer).replace(/\/$/, '')}/`)
}
