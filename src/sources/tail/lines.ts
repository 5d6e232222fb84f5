import { messageOf } from '../../core/errors.ts'
import type { SourceEvent } from '../../io/event-of.ts'
import type { Line } from '../../io/line-reader.ts'
import type { SourceBatch, SourceContext } from '../../plugin/source.ts'
import { eventOfLine, type Format } from './events.ts'
import type { Files } from './files.ts'
import type { Followed, FollowRead } from './follow.ts'

const maxBatch = 1000

/**
 * One look at some files: a chunk of each that has grown, in batches. The cursor of a batch covers the lines in it and not
 * those that wait for the next. Answers whether there is more to read right away.
 */
export async function* takeLines(
  files: Files,
  some: readonly Followed[],
  options: { readonly format: Format; readonly type: string; readonly cursor: () => string },
  { log }: SourceContext,
): AsyncGenerator<SourceBatch, boolean> {
  let events: SourceEvent[] = []
  let hasMore = false

  const take = async function* (file: Followed, lines: readonly Line[]): AsyncGenerator<SourceBatch> {
    let { offset } = file.position
    for (const line of lines) {
      const event = eventOfLine(line, offset, file.position, options)
      offset = line.end
      if (event === undefined) continue
      events.push(event)
      if (events.length < maxBatch) continue
      file.position = { ...file.position, offset }
      yield { events, cursor: options.cursor() }
      events = []
    }
    file.position = { ...file.position, offset }
  }

  const read = async (file: Followed): Promise<FollowRead | undefined> => {
    try {
      return await file.read()
    } catch (error) {
      log.warn('a file cannot be read; it is opened anew', { path: file.path, error: messageOf(error) })
      await files.drop(file)
      return undefined
    }
  }

  for (const file of [...some]) {
    const got = await read(file)
    if (got?.kind === 'lines') yield* take(file, got.lines)
    if (got?.kind === 'restarted' || (got?.kind === 'lines' && got.hasMore)) hasMore = true
  }
  for (const file of files.left()) {
    const got = await read(file)
    if (got?.kind === 'lines') yield* take(file, got.lines)
    if (got?.kind !== 'quiet') continue
    // Nobody writes to it any more: its last line will get no newline.
    yield* take(file, file.end())
    await files.drop(file)
  }
  if (events.length > 0) yield { events, cursor: options.cursor() }
  return hasMore
}
