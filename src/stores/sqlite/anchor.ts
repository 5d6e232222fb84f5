import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { AppError } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'

/** What was acknowledged at least, kept outside the database: a lost tail of the log cannot take it along. */
interface AnchorContent {
  readonly incarnation: string
  readonly head: Sequence
}

/** How far the anchor may be behind what was acknowledged. A lost tail younger than that is not noticed. */
export const anchorEveryMs = 1000

/** Written beside the database and renamed, with both synced, so that there is always a whole one. */
export function writeAnchor(path: string, content: AnchorContent): void {
  const target = `${path}.anchor`
  const file = openSync(`${target}.new`, 'w', 0o600)
  try {
    writeSync(file, `${JSON.stringify(content)}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(`${target}.new`, target)
  if (process.platform === 'win32') return
  const directory = openSync(dirname(target), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** True when events that were acknowledged are not in the log. An anchor of another incarnation says nothing. */
export function isTailMissing(path: string, found: AnchorContent): boolean {
  const anchor = readAnchor(path)
  return anchor !== undefined && anchor.incarnation === found.incarnation && anchor.head > found.head
}

export function requireTail(path: string, found: AnchorContent): void {
  if (!isTailMissing(path, found)) return
  const acknowledged = readAnchor(path)?.head
  throw new AppError(
    'store-corrupt',
    `opening ${path}: the acked tail is missing. The log ends at event ${found.head}, but events up to ${acknowledged} were acknowledged. An older copy of the file may have been put back, or its -wal file lost. Restore the newest files, or set acceptLoss: true to go on without those events.`,
    { facts: { head: found.head, acknowledged } },
  )
}

function readAnchor(path: string): AnchorContent | undefined {
  try {
    const content = JSON.parse(readFileSync(`${path}.anchor`, 'utf8')) as Partial<AnchorContent>
    return typeof content.head === 'number' && typeof content.incarnation === 'string'
      ? { incarnation: content.incarnation, head: content.head }
      : undefined
  } catch {
    // No anchor: a new store, or one whose database alone was copied.
    return undefined
  }
}
