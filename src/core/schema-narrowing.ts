import { canonicalJson } from './content.ts'
import { isPlainObject } from './event-fields.ts'

/** A place where one schema lets data through that the other refuses. */
export interface Narrowing {
  /** A JSON pointer into the data. */
  readonly path: string
  /** Said of a change from the first schema to the second. */
  readonly closed: string
  /** Said of a change from the second to the first. */
  readonly opened: string
}

type Members = Readonly<Record<string, unknown>>

interface Comparison {
  readonly from: unknown
  readonly to: unknown
  readonly found: Narrowing[]
  /** Pairs under comparison: schemas may contain themselves. */
  readonly open: Set<string>
}

const allTypes = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'] as const

/** Bounds that are tighter when they grow, and those that are tighter when they shrink. */
const lowerBounds = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties', 'minContains']
const upperBounds = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties', 'maxContains']

/** Keywords whose change is judged by equality alone: what they let through is not computed. */
const opaque = [
  'allOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'patternProperties',
  'propertyNames',
  'dependentRequired',
  'dependentSchemas',
  'unevaluatedProperties',
  'unevaluatedItems',
  'multipleOf',
  'pattern',
  'format',
  'uniqueItems',
  'contentEncoding',
  'contentMediaType',
]

/** What data valid under `from` may be refused by `to`, and why. */
export function findNarrowings(from: unknown, to: unknown): readonly Narrowing[] {
  const comparison: Comparison = { from, to, found: [], open: new Set() }
  compare(from, to, '', comparison)
  return comparison.found
}

function compare(from: unknown, to: unknown, path: string, comparison: Comparison): void {
  const a = resolve(from, comparison.from)
  const b = resolve(to, comparison.to)
  if (b === undefined || a === undefined) {
    add(comparison, path, 'a $ref leads out of the schema and cannot be judged', 'a $ref leads out of the schema')
    return
  }
  if (a['not'] !== undefined && isEmpty(a['not'])) return
  const pair = canonicalJson(JSON.stringify([a, b]))
  if (comparison.open.has(pair)) return
  comparison.open.add(pair)
  if (b['not'] !== undefined && isEmpty(b['not'])) add(comparison, path, 'is not allowed any more', 'is allowed now')
  else if (Array.isArray(a['anyOf']) || Array.isArray(b['anyOf'])) compareBranches(a, b, path, comparison)
  else compareKeywords(a, b, path, comparison)
  comparison.open.delete(pair)
}

function compareKeywords(a: Members, b: Members, path: string, comparison: Comparison): void {
  compareTypes(a, b, path, comparison)
  compareValues(a, b, path, comparison)
  for (const keyword of lowerBounds) compareBound(keyword, a, b, path, comparison, (x, y) => x >= y)
  for (const keyword of upperBounds) compareBound(keyword, a, b, path, comparison, (x, y) => x <= y)
  for (const keyword of opaque) compareOpaque(keyword, a, b, path, comparison)
  if (mayBe(a, 'object') && mayBe(b, 'object')) compareObjects(a, b, path, comparison)
  if (mayBe(a, 'array') && mayBe(b, 'array')) compareItems(a, b, path, comparison)
}

function add({ found }: Comparison, path: string, closed: string, opened: string): void {
  found.push({ path, closed, opened })
}

/** The schema that a reference inside its document leads to; `true` is `{}`, and `false` refuses everything. */
function resolve(schema: unknown, root: unknown): Members | undefined {
  let at = schema
  for (let steps = 0; isPlainObject(at) && typeof at['$ref'] === 'string'; steps++) {
    const { $ref, ...beside } = at
    const target = steps > 20 ? undefined : atPointer(root, $ref as string)
    if (target === undefined) return undefined
    at = isPlainObject(target) ? { ...target, ...beside } : target
  }
  if (at === false) return { not: {} }
  if (!isPlainObject(at)) return {}
  const { $defs: _, ...own } = at
  return own
}

function atPointer(root: unknown, reference: string): unknown {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined
  const parts = reference.split('/').slice(1)
  const names = parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  return names.reduce<unknown>((node, name) => (node as Members | undefined)?.[name], root)
}

function isEmpty(schema: unknown): boolean {
  return schema === true || (isPlainObject(schema) && Object.keys(schema).length === 0)
}

function typesOf(schema: Members): ReadonlySet<string> {
  const { type } = schema
  const named = type === undefined ? (listedOf(schema)?.map(typeOf) ?? allTypes) : Array.isArray(type) ? type : [type]
  const types = new Set(named.map(String))
  if (types.has('number')) types.add('integer')
  return types
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}

function mayBe(schema: Members, type: string): boolean {
  return typesOf(schema).has(type)
}

function compareTypes(a: Members, b: Members, path: string, comparison: Comparison): void {
  const allowed = typesOf(b)
  const lost = [...typesOf(a)].filter((type) => !allowed.has(type))
  if (lost.length === 0) return
  const list = lost.join(', ')
  add(comparison, path, `type narrowed: ${list} is not allowed any more`, `type widened: ${list} is allowed now`)
}

/** The values that a schema names one by one; undefined when it names none. */
function listedOf(schema: Members): readonly unknown[] | undefined {
  if (Object.hasOwn(schema, 'const')) return [schema['const']]
  return Array.isArray(schema['enum']) ? schema['enum'] : undefined
}

function valuesOf(schema: Members): readonly string[] | undefined {
  return listedOf(schema)?.map((value) => canonicalJson(JSON.stringify(value)))
}

function compareValues(a: Members, b: Members, path: string, comparison: Comparison): void {
  const allowed = valuesOf(b)
  if (allowed === undefined) return
  const before = valuesOf(a)
  if (before === undefined) {
    add(comparison, path, 'only listed values are allowed now', 'any value is allowed now, not only listed ones')
    return
  }
  const lost = before.filter((value) => !allowed.includes(value))
  if (lost.length === 0) return
  const list = lost.join(', ')
  add(comparison, path, `enum reduced: ${list} is not allowed any more`, `enum extended: ${list} is allowed now`)
}

function compareBound(
  keyword: string,
  a: Members,
  b: Members,
  path: string,
  comparison: Comparison,
  isAsTight: (x: number, y: number) => boolean,
): void {
  const before = a[keyword]
  const after = b[keyword]
  if (typeof after !== 'number' || (typeof before === 'number' && isAsTight(before, after))) return
  const was = typeof before === 'number' ? String(before) : 'none'
  add(
    comparison,
    path,
    `${keyword} is tighter: ${after}, before ${was}`,
    `${keyword} is looser: ${was}, before ${after}`,
  )
}

function compareOpaque(keyword: string, a: Members, b: Members, path: string, comparison: Comparison): void {
  const after = b[keyword]
  // What lets everything through says nothing.
  if (after === undefined || (keyword === 'uniqueItems' ? after === false : isEmpty(after))) return
  const before = a[keyword]
  if (before !== undefined && canonicalJson(JSON.stringify(before)) === canonicalJson(JSON.stringify(after))) return
  if (keyword === 'multipleOf' && typeof before === 'number' && Number.isInteger(before / (after as number))) return
  const closed = before === undefined ? `${keyword} was added` : `${keyword} changed, which cannot be judged`
  const opened = before === undefined ? `${keyword} was removed` : `${keyword} changed, which cannot be judged`
  add(comparison, path, closed, opened)
}

/** Each variant that was possible must fit into one that is. */
function compareBranches(a: Members, b: Members, path: string, comparison: Comparison): void {
  const after = branchesOf(b, comparison.to)
  for (const [index, branch] of branchesOf(a, comparison.from).entries()) {
    const fits = after.some((each) => {
      const trial: Comparison = { ...comparison, found: [], open: new Set(comparison.open) }
      compare(branch, each, path, trial)
      return trial.found.length === 0
    })
    if (!fits)
      add(comparison, path, `anyOf: variant ${index} fits no variant any more`, `anyOf: variant ${index} is new`)
  }
}

function branchesOf({ anyOf, ...rest }: Members, root: unknown): readonly Members[] {
  return Array.isArray(anyOf) ? anyOf.map((each) => ({ ...rest, ...(resolve(each, root) ?? each) })) : [rest]
}

function compareObjects(a: Members, b: Members, path: string, comparison: Comparison): void {
  const required = new Set(namesOf(a['required']))
  for (const name of namesOf(b['required']).filter((each) => !required.has(each)))
    add(comparison, `${path}/${pointerPart(name)}`, 'is required now', 'is no longer required')
  const before = propertiesOf(a)
  const after = propertiesOf(b)
  const rest = b['additionalProperties']
  for (const [name, schema] of before) {
    const place = `${path}/${pointerPart(name)}`
    if (after.has(name)) compare(schema, after.get(name), place, comparison)
    else if (rest === false)
      add(comparison, place, 'property removed, and others are not allowed', 'property added, where none were allowed')
    else if (rest !== undefined) compare(schema, rest, place, comparison)
  }
  if (rest === undefined || rest === true || a['additionalProperties'] === false) return
  if (rest === false)
    add(comparison, path, 'other properties are not allowed any more', 'other properties are allowed now')
  else compare(a['additionalProperties'], rest, `${path}/*`, comparison)
}

function compareItems(a: Members, b: Members, path: string, comparison: Comparison): void {
  const before = listOf(a['prefixItems'])
  const after = listOf(b['prefixItems'])
  for (let index = 0; index < Math.max(before.length, after.length); index++)
    compare(before[index] ?? a['items'], after[index] ?? b['items'], `${path}/${index}`, comparison)
  if (b['items'] !== undefined) compare(a['items'], b['items'], `${path}/*`, comparison)
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function namesOf(value: unknown): readonly string[] {
  return listOf(value).map(String)
}

function propertiesOf({ properties }: Members): ReadonlyMap<string, unknown> {
  return new Map(isPlainObject(properties) ? Object.entries(properties) : [])
}

function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
