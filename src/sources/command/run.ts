import { randomUUID } from 'node:crypto'
import type { SourceEvent } from '../../io/event-of.ts'
import { createLineReader, type Line } from '../../io/line-reader.ts'
import type { Owner } from '../../io/process/owner.ts'
import { type RunningProcess, startProcess } from '../../io/process.ts'
import type { SourceBatch, SourceContext } from '../../plugin/source.ts'
import { contentId, meaningOf, type Reading } from './lines.ts'
import type { CommandSourceOptions } from './options.ts'
import { logErrors } from './stderr.ts'

/** What stays the same over all runs of the program. */
export interface Life {
  readonly file: string
  readonly directory: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>> | undefined
  readonly owner: Owner
}

/** How a run ended: `problem` says what was wrong, as the end of a sentence that begins with the program. */
export interface RunEnd {
  readonly cursor: string | undefined
  readonly problem: string | undefined
}

const maxBatch = 1000

/**
 * One run of the program, from its start to its end. Nothing more is read while a batch waits to be stored, so a program
 * that is faster than the disk waits too.
 */
export async function* runOnce(
  life: Life,
  options: CommandSourceOptions,
  cursor: string | undefined,
  context: SourceContext,
): AsyncGenerator<SourceBatch, RunEnd> {
  const { file, directory, args, env, owner } = life
  const marks = { MILLRACE_SOURCE: context.name, ...(cursor === undefined ? {} : { MILLRACE_CURSOR: cursor }) }
  const program = await startProcess({ file, args, directory, env, marks, mark: owner.nextMark() })
  if (program.kind === 'failed') return { cursor, problem: `cannot be started: ${program.problem}` }
  program.stdin.end()
  const errors = logErrors(program.stderr, context.name, context.log, () => context.clock.now())
  const reading: Reading = {
    eventType: options.eventType,
    cursor: options.cursor,
    identify: options.ids === 'unique' ? () => randomUUID() : contentId(cursor),
  }
  let newest = cursor
  try {
    for await (const lines of linesOf(program, options.maxLine, context)) {
      for (let from = 0; from < lines.length; from += maxBatch) {
        const batch = batchOf(lines.slice(from, from + maxBatch), reading, context)
        if (batch.events.length === 0 && batch.cursor === undefined) continue
        newest = batch.cursor ?? newest
        yield batch
      }
    }
    if (context.signal.aborted) return { cursor: newest, problem: undefined }
    const { code, signal } = await program.ended
    const problem = code === 0 ? undefined : code === null ? `was ended by ${signal}` : `ended with exit code ${code}`
    return { cursor: newest, problem }
  } finally {
    // After a stop, and when the batch could not be stored: whatever still runs is ended.
    await program.end(options.grace)
    await errors
  }
}

function batchOf(lines: readonly Line[], reading: Reading, context: SourceContext): SourceBatch {
  const events: SourceEvent[] = []
  let cursor: string | undefined
  for (const line of lines) {
    const meaning = meaningOf(line, reading)
    if (meaning.kind === 'bad') {
      const fields = { line: line.number, problem: meaning.problem }
      context.log.error(`source ${context.name}: a line of the program's output was left out`, fields)
      continue
    }
    if (meaning.event !== undefined) events.push(meaning.event)
    cursor = meaning.cursor ?? cursor
  }
  return cursor === undefined ? { events } : { events, cursor }
}

/** Lines as they come, until the output ends or the pipeline stops. */
async function* linesOf(
  { stdout, ended }: RunningProcess,
  maxLineBytes: number,
  { signal }: SourceContext,
): AsyncGenerator<readonly Line[]> {
  const reader = createLineReader({ maxLineBytes })
  const onAbort = (): void => {
    stdout.destroy()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    for await (const chunk of stdout) yield reader.push(chunk as Buffer)
  } catch {
    // It was cut off from here; the way the program ends says why.
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
  if (signal.aborted) return
  const { code } = await ended
  // Half a line of a program that was cut off is no event; it says it again.
  if (code === 0) yield reader.end()
}
