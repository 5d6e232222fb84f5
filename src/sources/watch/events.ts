import { hash } from 'node:crypto'
import { timeText } from '../../core/event.ts'
import { textProblem } from '../../core/event-fields.ts'
import type { SourceBatch } from '../../plugin/source.ts'
import { modifiedMsOf, sizeOf, touchedMsOf } from './entry.ts'
import type { Change } from './snapshot.ts'

export const changeKinds = ['created', 'changed', 'removed'] as const
export type ChangeKind = (typeof changeKinds)[number]

export interface EventOptions {
  readonly typePrefix: string
  readonly kinds: ReadonlySet<ChangeKind>
  /** Stands before the path in subjects, where several roots are watched. */
  readonly subjectPrefix: string
}

const maxSubject = 512

/**
 * The event of a change; undefined when there is none to tell. Its id follows from the name, the kind, the state of the
 * file then (inode, size, times) and the removals before it, so the same change read again has the same id, and the next
 * change has another, also when something is moved away and back.
 */
export function eventOf(
  change: Change,
  diskPath: string,
  removals: number,
  { typePrefix, kinds, subjectPrefix }: EventOptions,
): SourceBatch['events'][number] | undefined {
  const { path, before, after } = change
  const entry = after ?? before
  if (entry === undefined) return undefined
  const kind: ChangeKind = after === undefined ? 'removed' : before === undefined ? 'created' : 'changed'
  if (!kinds.has(kind) || (kind === 'changed' && entry.kind === 'folder')) return undefined
  const type = `${entry.kind}.${kind}`
  const full = subjectPrefix + path
  const state = [entry.version, entry.touched, entry.hash ?? '', removals]
  const data = {
    name: path.slice(path.lastIndexOf('/') + 1),
    path: diskPath,
    ...(entry.kind === 'file' && after !== undefined
      ? { size: sizeOf(after), modified: timeText(modifiedMsOf(after)) }
      : {}),
    ...(after?.hash === undefined ? {} : { sha256: after.hash }),
  }
  return {
    id: hash('sha256', JSON.stringify([full, type, ...state]), 'base64url').slice(0, 22),
    type: typePrefix + type,
    subject: subjectOf(full),
    ...(after === undefined ? {} : { time: timeText(touchedMsOf(after)) }),
    data,
  }
}

/** The path; where a subject cannot hold it, what can be kept of it and a hash of the whole. */
function subjectOf(path: string): string {
  if (textProblem(path, maxSubject) === undefined) return path
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a subject cannot hold
  const plain = path.toWellFormed().replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd')
  return `${plain.slice(0, maxSubject - 24).toWellFormed()}~${hash('sha256', path, 'base64url').slice(0, 22)}`
}
