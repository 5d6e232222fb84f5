import { type Issue, nearest } from '../core/issues.ts'
import type { schema as library, Schema, SchemaOutput } from './schema.ts'

type Path = readonly (string | number)[]
type RawIssue = library.core.$ZodRawIssue
type FinishedIssue = library.core.$ZodIssue

/** An issue with what a reader of files needs to place it, or to read a substituted text as a number. */
export interface SchemaIssue extends Issue {
  readonly path: Path
  /** The name of the setting is wrong, not its value. */
  readonly isAboutKey?: boolean | undefined
  readonly expected?: 'number' | 'boolean' | undefined
}

/** A checked value, or everything that is wrong with it. */
export type Checked<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly issues: readonly SchemaIssue[] }

/** Checks a value against a schema. Answers every problem at once, in words for people, and never echoes a value. */
export function check<S extends Schema>(schema: S, value: unknown): Checked<SchemaOutput<S>> {
  const known = new Map<RawIssue['input'], readonly string[]>()
  const result = schema.safeParse(value, {
    reportInput: true,
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') known.set(issue.input, settingsOf(issue.inst))
      return messageOf(issue)
    },
  })
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, issues: result.error.issues.flatMap((issue) => issuesOf(issue, known)) }
}

/** The names that an object schema has. */
function settingsOf(schema: unknown): readonly string[] {
  const shape = (schema as { readonly shape?: Readonly<Record<string, unknown>> } | undefined)?.shape
  return shape === undefined ? [] : Object.keys(shape).sort()
}

function issuesOf(issue: FinishedIssue, known: ReadonlyMap<unknown, readonly string[]>): SchemaIssue[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownSetting([...path, key], known.get(issue.input) ?? []))
    case 'invalid_key': {
      const message = issue.issues[0]?.message ?? 'this name cannot be used'
      return [{ code: 'config-invalid', path, message, isAboutKey: true }]
    }
    case 'invalid_union':
      return unionIssues(issue, path, known)
    case 'invalid_value':
      return [{ code: 'config-invalid', path, message: issue.message, ...choices(issue) }]
    case 'custom': {
      const inner = issue.params?.['issue'] as SchemaIssue | undefined
      return [{ ...(inner ?? { code: 'config-invalid', message: issue.message }), path }]
    }
    case 'invalid_type':
      return [{ code: 'config-invalid', path, message: issue.message, ...expectedOf(issue.expected) }]
    default:
      return [{ code: 'config-invalid', path, message: issue.message }]
  }
}

/** The issue of a setting that does not exist. */
export function unknownSetting(path: Path, available: readonly string[]): SchemaIssue {
  const key = String(path.at(-1))
  // Compared on purpose in any case: `maxopen` means `maxOpen`.
  const suggestion = nearest(key, available)
  return {
    code: 'config-invalid',
    path,
    message: 'there is no such setting',
    isAboutKey: true,
    ...(suggestion === undefined ? {} : { suggestion }),
    ...(available.length === 0 ? {} : { available }),
  }
}

function expectedOf(expected: string): Pick<SchemaIssue, 'expected'> {
  if (expected === 'number' || expected === 'int') return { expected: 'number' }
  return expected === 'boolean' ? { expected } : {}
}

function choices(issue: {
  readonly values: readonly unknown[]
  readonly input?: unknown
}): Pick<SchemaIssue, 'suggestion' | 'available'> {
  const available = issue.values.map(String).sort()
  if (available.length < 2) return {}
  const suggestion = typeof issue.input === 'string' ? nearest(issue.input, available) : undefined
  return { available, ...(suggestion === undefined ? {} : { suggestion }) }
}

/** The problems of the variant that was most likely meant: the one whose first problem lies deepest, then the one with the fewest. */
function unionIssues(
  issue: FinishedIssue & { readonly code: 'invalid_union' },
  path: Path,
  known: ReadonlyMap<unknown, readonly string[]>,
): SchemaIssue[] {
  const variants = issue.errors.map((errors) => errors.flatMap((each) => issuesOf(each, known)))
  const expected = variants.flat().find((each) => each.path.length === 0 && each.expected !== undefined)?.expected
  const own = {
    code: 'config-invalid',
    path,
    message: issue.message,
    ...(expected === undefined ? {} : { expected }),
  } as const
  const deeper = variants.filter((variant) => variant.length > 0 && variant.every((each) => each.path.length > 0))
  const best = deeper.sort((a, b) => a.length - b.length)[0]
  return best === undefined ? [own] : best.map((each) => ({ ...each, path: [...path, ...each.path] }))
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping of settings',
  record: 'a mapping of names',
  array: 'a list',
}

function nameOfValue(value: unknown): string {
  if (value === null) return 'nothing'
  if (Number.isNaN(value)) return 'none'
  if (Array.isArray(value)) return 'a list'
  const type = typeof value
  return type === 'object' ? 'a mapping' : (typeNames[type] ?? `a ${type}`)
}

function messageOf(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type': {
      const expected = typeNames[issue.expected] ?? issue.expected
      if (issue.input === undefined) return `this setting is missing: ${expected} is needed`
      return typeof issue.input === 'number' && issue.expected === 'int'
        ? 'a whole number is needed'
        : `${expected} is needed, and this is ${nameOfValue(issue.input)}`
    }
    case 'too_small':
      return bound(issue.origin, 'at least', issue.minimum, issue.inclusive)
    case 'too_big':
      return bound(issue.origin, 'at most', issue.maximum, issue.inclusive)
    case 'invalid_format':
      if (issue.format === 'url') return 'this is not a URL, for example https://example.com/path'
      if (issue.format === 'datetime') return 'this is not a time: write it as 2026-01-31T12:00:00Z'
      return `this is not a valid ${issue.format}`
    case 'invalid_value':
      if (issue.input === undefined) return 'this setting is missing'
      return issue.values.length === 1
        ? `only ${String(issue.values[0])} can stand here`
        : 'this value cannot stand here'
    case 'unrecognized_keys':
      return 'there is no such setting'
    case 'invalid_union':
      return issue.input === undefined ? 'this setting is missing' : 'this value cannot stand here'
    default:
      return 'this value cannot stand here'
  }
}

function bound(
  origin: string,
  limit: 'at least' | 'at most',
  value: number | bigint,
  isInclusive: boolean | undefined,
): string {
  if (origin === 'string')
    return limit === 'at least' && value === 1 ? 'this text is empty' : `${limit} ${value} characters are needed`
  if (origin === 'array' || origin === 'set')
    return limit === 'at least' && value === 1 ? 'this list is empty' : `a list of ${limit} ${value} entries is needed`
  if (isInclusive === false)
    return limit === 'at least' ? `a number above ${value} is needed` : `a number below ${value} is needed`
  return `a number of ${limit} ${value} is needed`
}
