import { statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/platform.ts'
import type { Token } from '../server/index.ts'

/** A token that is taken out of the file is unknown after this long at the latest (SEC-46: 5 s). */
const lookEveryMs = 2_000

/**
 * Looks now and then whether a file has changed, and hands on the tokens that it then holds: so that one can be taken away
 * without a restart. A file that cannot be read or is wrong changes nothing and is logged. Answers how to end.
 */
export function watchTokens(
  file: string,
  read: () => Promise<readonly Token[]>,
  use: (tokens: readonly Token[]) => void,
  log: Log,
  everyMs = lookEveryMs,
): () => void {
  let known = markOf(statSync(file))
  let isLooking = false
  const look = async (): Promise<void> => {
    const mark = markOf(await stat(file))
    if (mark === known) return
    known = mark
    use(await read())
    log.info('the tokens of the configuration were read again')
  }
  const tick = (): void => {
    if (isLooking) return
    isLooking = true
    look()
      .catch((error: unknown) =>
        log.warn('the changed configuration was not read: the tokens stay as they are', { reason: messageOf(error) }),
      )
      .finally(() => {
        isLooking = false
      })
  }
  const timer = setInterval(tick, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}

function markOf({
  mtimeMs,
  size,
  ino,
}: {
  readonly mtimeMs: number
  readonly size: number
  readonly ino: number
}): string {
  return `${mtimeMs} ${size} ${ino}`
}
