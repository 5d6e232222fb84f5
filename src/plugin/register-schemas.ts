import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { messageOf } from '../core/errors.ts'
import { isPlainObject, typeProblem } from '../core/event-fields.ts'
import { findGodObjects } from '../core/god-event.ts'
import { nearest } from '../core/issues.ts'
import { notJson } from '../core/json-fault.ts'
import { isReservedType } from '../core/match.ts'
import { newestVersion, upcastHoles } from '../core/schema-version.ts'
import type { SchemaIssue } from './check.ts'
import type { EventSchemas, SchemaMode, SchemaVersion, TypeSchemas, Upcast } from './event-schemas.ts'
import { compileJsonSchema, type DataProblem } from './json-schema.ts'
import { type WrittenSchema, writtenSchema } from './schema-settings.ts'
import { isStandardSchema, jsonSchemaOf, type StandardIssue, type StandardSchema } from './standard-schema.ts'

/** What `schemas`, `events` and `upcast` come to, with everything that is wrong beyond their shape. */
export interface RegisteredSchemas {
  readonly schemas: EventSchemas
  readonly issues: readonly SchemaIssue[]
}

type Path = SchemaIssue['path']
type Written = Readonly<Record<string, unknown>>

interface Draft {
  readonly versions: Map<number, SchemaVersion>
  readonly upcasts: Map<number, Upcast>
}

/**
 * Reads and compiles the schemas of a configuration, as far as they are written in the right shape: what is not is reported
 * by the schema of the configuration.
 */
export function registerSchemas(config: unknown, directory: string): RegisteredSchemas {
  const issues: SchemaIssue[] = []
  const drafts = new Map<string, Draft>()
  const draftOf = (type: string, path: Path): Draft => {
    const known = drafts.get(type)
    if (known !== undefined) return known
    const problem = typeProblem(type) ?? (isReservedType(type) ? 'belongs to the engine' : undefined)
    if (problem !== undefined) issues.push(issue(path, `the type of event ${problem}`, true))
    const draft: Draft = { versions: new Map(), upcasts: new Map() }
    drafts.set(type, draft)
    return draft
  }
  readEntries(config, draftOf, directory, issues)
  readEvents(config, draftOf, issues)
  readUpcasts(config, draftOf, issues)
  issues.push(...undeclaredIssues(mapping(config)))
  for (const [type, { versions, upcasts }] of drafts) issues.push(...holeIssues(type, versions, upcasts))
  issues.push(...pinIssues(config, drafts))
  const schemas = new Map([...drafts].map(([type, draft]) => [type, typeSchemas(type, draft)]))
  return { schemas, issues }
}

function mapping(value: unknown): Written {
  return isPlainObject(value) ? value : {}
}

function issue(path: Path, message: string, isAboutKey = false): SchemaIssue {
  return { code: 'config-invalid', path, message, ...(isAboutKey && { isAboutKey }) }
}

function typeSchemas(type: string, { versions, upcasts }: Draft): TypeSchemas {
  return { type, versions, upcasts, newest: newestVersion(versions.keys(), upcasts.keys()) }
}

function readEntries(
  config: unknown,
  draftOf: (type: string, path: Path) => Draft,
  directory: string,
  issues: SchemaIssue[],
): void {
  for (const [type, written] of Object.entries(mapping(mapping(config)['schemas']))) {
    const isList = Array.isArray(written)
    for (const [index, each] of (isList ? written : [written]).entries()) {
      const path = ['schemas', type, ...(isList ? [index] : [])]
      const { version = 1, mode = 'reject', schema } = mapping(each)
      // Of the wrong shape: that is reported by the schema of the configuration.
      if (!writtenSchema.safeParse(schema).success) continue
      const made = makeSchemaVersion(
        schema as WrittenSchema,
        { version: Number(version), mode: mode as SchemaMode },
        directory,
      )
      if (typeof made === 'string') issues.push(issue([...path, 'schema'], made))
      else addVersion(draftOf(type, ['schemas', type]), made, path, issues)
    }
  }
}

function readEvents(config: unknown, draftOf: (type: string, path: Path) => Draft, issues: SchemaIssue[]): void {
  const upcasts = mapping(mapping(config)['upcast'])
  for (const [type, schema] of Object.entries(mapping(mapping(config)['events']))) {
    if (!isStandardSchema(schema)) continue
    const path = ['events', type]
    const draft = draftOf(type, path)
    if (draft.versions.size > 0) {
      issues.push(issue(path, 'schemas has this type, too: declare it in one of them', true))
      continue
    }
    const version = newestVersion([], Object.keys(mapping(upcasts[type])).map(Number))
    addVersion(draft, standardVersion(schema, version, 'reject'), path, issues)
  }
}

function readUpcasts(config: unknown, draftOf: (type: string, path: Path) => Draft, issues: SchemaIssue[]): void {
  for (const [type, steps] of Object.entries(mapping(mapping(config)['upcast'])))
    for (const [version, written] of Object.entries(mapping(steps))) {
      const step = typeof written === 'function' ? written : mapping(written)['use']
      // In a configuration file it is loaded by now, or said to be missing at the same place.
      if (typeof step === 'string')
        issues.push(
          issue(
            ['upcast', type, version, 'use'],
            'a file can be named only in a configuration file; in code, give the function',
          ),
        )
      if (typeof step === 'function') draftOf(type, ['upcast', type]).upcasts.set(Number(version), step as Upcast)
    }
}

function addVersion({ versions }: Draft, made: SchemaVersion, path: Path, issues: SchemaIssue[]): void {
  if (versions.has(made.version)) issues.push(issue(path, `version ${made.version} of this type is there already`))
  else versions.set(made.version, made)
}

/** A version of a schema, ready to check; or a text that says what is wrong. */
export function makeSchemaVersion(
  schema: WrittenSchema,
  { version, mode }: Pick<SchemaVersion, 'version' | 'mode'>,
  directory: string,
): SchemaVersion | string {
  if (isStandardSchema(schema)) return standardVersion(schema, version, mode)
  if (typeof schema !== 'string') return jsonVersion(schema, version, mode)
  const json = readJsonFile(schema, directory)
  if ('problem' in json) return json.problem
  const made = jsonVersion(json.value, version, mode)
  return typeof made === 'string' ? `${schema}: ${made}` : made
}

/** What is wrong with a file as a schema of data; undefined: nothing. */
export function schemaFileProblem(file: string, directory: string): string | undefined {
  const made = makeSchemaVersion(file, { version: 1, mode: 'reject' }, directory)
  return typeof made === 'string' ? made : undefined
}

/** Reads a JSON file relative to a folder; what is wrong with it says where. */
export function readJsonFile(
  file: string,
  directory: string,
): { readonly value: unknown } | { readonly problem: string } {
  const path = resolve(directory, file)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const isMissing = (error as { readonly code?: unknown }).code === 'ENOENT'
    return { problem: isMissing ? `there is no file ${path}` : `${path} cannot be read: ${messageOf(error)}` }
  }
  try {
    return { value: JSON.parse(text) }
  } catch {
    return { problem: `${file} ${notJson(text)}` }
  }
}

function jsonVersion(schema: unknown, version: number, mode: SchemaMode): SchemaVersion | string {
  const compiled = compileJsonSchema(schema)
  if (!compiled.ok) return compiled.problem
  return { version, mode, check: compiled.check, json: schema as Written }
}

function standardVersion(schema: StandardSchema, version: number, mode: SchemaMode): SchemaVersion {
  const check = (data: unknown): readonly DataProblem[] | Promise<readonly DataProblem[]> => {
    const result = schema['~standard'].validate(data)
    return result instanceof Promise
      ? result.then(({ issues = [] }) => issues.map(standardProblem))
      : (result.issues ?? []).map(standardProblem)
  }
  return { version, mode, check, json: jsonSchemaOf(schema) }
}

function standardProblem({ message, path = [] }: StandardIssue): DataProblem {
  const parts = path.map((part) => String(typeof part === 'object' ? part.key : part))
  return {
    path: parts
      .map((part) => `/${part}`)
      .join('')
      .slice(0, 200),
    message,
  }
}

function holeIssues(type: string, versions: Draft['versions'], upcasts: Draft['upcasts']): SchemaIssue[] {
  return upcastHoles(versions.keys(), upcasts.keys()).map((version) =>
    issue(
      ['upcast', type],
      `the upcaster from version ${version} to ${version + 1} of ${type} is missing: events of version ${version} could not be brought to version ${newestVersion(versions.keys(), upcasts.keys())}`,
    ),
  )
}

/** Upcasters alone declare their types; beside types that are declared, another one is a slip of the pen. */
function undeclaredIssues({ schemas, events, upcast }: Written): SchemaIssue[] {
  const declared = [...Object.keys(mapping(schemas)), ...Object.keys(mapping(events))]
  if (declared.length === 0) return []
  return Object.keys(mapping(upcast))
    .filter((type) => !declared.includes(type))
    .map((type) => unknownType(['upcast', type], type, declared))
}

function unknownType(path: Path, type: string, declared: readonly string[]): SchemaIssue {
  const suggestion = nearest(type, declared)
  return {
    ...issue(path, 'no schema of this type is registered', true),
    ...(suggestion !== undefined && { suggestion }),
    ...(declared.length > 0 && { available: [...declared].sort() }),
  }
}

function pinIssues(config: unknown, drafts: ReadonlyMap<string, Draft>): SchemaIssue[] {
  return Object.entries(mapping(mapping(config)['subscriptions'])).flatMap(([name, written]) =>
    Object.entries(mapping(mapping(written)['schemas'])).flatMap(([type, version]): SchemaIssue[] => {
      const path = ['subscriptions', name, 'schemas', type]
      const draft = drafts.get(type)
      if (draft === undefined) return [unknownType(path, type, [...drafts.keys()])]
      const known = new Set([
        ...draft.versions.keys(),
        ...[...draft.upcasts.keys()].flatMap((from) => [from, from + 1]),
      ])
      if (typeof version !== 'number' || known.has(version)) return []
      const available = [...known].sort((a, b) => a - b).map(String)
      return [{ ...issue(path, `there is no version ${version} of ${type}`), available }]
    }),
  )
}

/** What works, but is hardly one kind of event. */
export function godWarnings(schemas: EventSchemas, most: number): SchemaIssue[] {
  return [...schemas.values()].flatMap(({ type, versions }) =>
    [...versions.values()].flatMap(({ version, json }) =>
      findGodObjects(json, most).map(({ path, optional }) =>
        issue(
          ['schemas', type],
          `version ${version}${path === '' ? '' : ` at ${path}`} has ${optional} optional properties: it is probably several kinds of event in one (limits.warnOptional is ${most})`,
        ),
      ),
    ),
  )
}
