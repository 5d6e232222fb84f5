import type { Event } from '../../core/event.ts'
import { removeControl } from '../../io/escape.ts'

/** Members of the data that people read first, in this order. */
const wellKnown = [
  'summary',
  'title',
  'subject',
  'name',
  'filename',
  'message',
  'description',
  'snippet',
  'status',
  'action',
] as const
const mostShown = 3
const longestTitle = 256

/** What a notification shows: plain text, no markup. */
export interface Notice {
  readonly title: string
  readonly body: string
}

/** The type as the title; below it about what (`entity=…`) and up to three values that people read first. */
export function noticeOf(event: Event, maxBodyLength: number): Notice {
  const parts = event.subject === undefined ? [] : [`entity=${event.subject}`]
  parts.push(...valuesOf(event.data))
  return { title: cut(plain(event.type), longestTitle), body: cut(parts.map(plain).join(' | '), maxBodyLength) }
}

function valuesOf(data: unknown): string[] {
  if (typeof data === 'string') return data === '' ? [] : [data]
  if (typeof data !== 'object' || data === null || Array.isArray(data) || data instanceof Uint8Array) return []
  const values: string[] = []
  for (const name of wellKnown) {
    const value: unknown = Object.hasOwn(data, name) ? (data as Readonly<Record<string, unknown>>)[name] : undefined
    if (values.length < mostShown && isShown(value)) values.push(String(value))
  }
  return values
}

function isShown(value: unknown): value is string | number | boolean {
  return (typeof value === 'string' && value.trim() !== '') || typeof value === 'number' || typeof value === 'boolean'
}

/** Without tags, and on one line without characters that control or reorder text. */
function plain(text: string): string {
  // Long texts are cut before and after: what takes tags out must not work on a megabyte for 220 characters.
  const withoutTags = text.slice(0, 10_000).replaceAll(/<\/?[A-Za-z!?][^<>]*>/g, '')
  return removeControl(withoutTags.replaceAll(/\s+/g, ' ')).trim()
}

function cut(text: string, length: number): string {
  const characters = [...text]
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`
}
