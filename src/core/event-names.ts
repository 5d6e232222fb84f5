import { type Issue, nearest } from './issues.ts'

/** The fields of an event as somebody gave them, not yet checked; null counts as absent, but for data. */
export interface GivenEvent {
  readonly source?: unknown
  readonly id?: unknown
  readonly type?: unknown
  readonly subject?: unknown
  readonly time?: unknown
  readonly notBefore?: unknown
  readonly data?: unknown
  readonly meta?: unknown
  readonly datacontenttype?: unknown
  readonly dataschema?: unknown
}

const otherNames = {
  event_id: 'id',
  event_type: 'type',
  entity_id: 'subject',
  occurred_at: 'time',
  source_id: 'source',
  notbefore: 'notBefore',
} as const
type OtherName = keyof typeof otherNames

const fieldNames = [
  'source',
  'id',
  'type',
  'subject',
  'time',
  'notBefore',
  'data',
  'meta',
  'datacontenttype',
  'dataschema',
] as const
const known = new Set<string>(fieldNames)

export function isKnownField(name: string): boolean {
  return known.has(name)
}

export function invalid(issues: Issue[], field: string, problem: string): undefined {
  issues.push({ code: 'event-invalid', message: `${field} ${problem}`, path: [field] })
}

/** Puts `event_id` and its like in their places and refuses what is neither. */
export function withOtherNames(input: Readonly<Record<string, unknown>>, issues: Issue[]): GivenEvent {
  const given = new Map<string, unknown>(fieldNames.map((name) => [name, input[name]]))
  for (const name of Object.keys(input)) {
    if (known.has(name)) continue
    if (!Object.hasOwn(otherNames, name)) {
      const suggestion = nearest(name, fieldNames)
      const message = `${JSON.stringify(name.slice(0, 40))} is not a field of an event: put free context into meta`
      issues.push({
        code: 'event-invalid',
        message,
        path: [name.slice(0, 40)],
        suggestion,
        available: [...fieldNames].sort(),
      })
      continue
    }
    const field = otherNames[name as OtherName]
    const own = given.get(field) ?? undefined
    if (own !== undefined && own !== input[name]) {
      invalid(issues, name, `and ${field} are names of one field, but their values differ: give one of them`)
    }
    given.set(field, input[name])
  }
  return Object.fromEntries(given)
}
