import { createRequire } from 'node:module'
import type { Environment } from '@marcbachmann/cel-js'
import type { Event, Json } from '../core/event.ts'
import { ExpressionError, jsonOf, shorten } from './expression-value.ts'

/** A compiled expression: pure, bounded, and without loops over anything but the values it is given. */
export interface Expression {
  readonly text: string
  /** Which of the names it was compiled for it looks at. */
  readonly uses: ReadonlySet<string>
  /** A member that must be this very text for it to be true: `meta.tenant == "x"`, alone or joined by `&&`. */
  readonly only?: { readonly path: string; readonly value: string } | undefined
  /**
   * Its value as JSON: whole numbers are numbers. A missing member is null to == and !=; elsewhere, as in a > or a +, it is
   * an `ExpressionError` that names it.
   */
  evaluate(scope: Readonly<Record<string, unknown>>): Json
}

export type CompiledExpression =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly problem: string }

const maxLength = 4096
const limits = { maxAstNodes: 1000, maxDepth: 50, maxListElements: 200, maxMapEntries: 200, maxCallArguments: 16 }

const require = createRequire(import.meta.url)

/** JSON has one kind of number, CEL several: whole literals in an expression work with numbers of the data. */
function createEnvironment(): Environment {
  // Loaded at the first expression only: nobody else pays for it.
  const { Environment: Cel } = require('@marcbachmann/cel-js') as typeof import('@marcbachmann/cel-js')
  const environment = new Cel({ homogeneousAggregateLiterals: false, enableOptionalTypes: true, limits })
  const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
    '/': (a, b) => a / b,
    '%': (a, b) => a % b,
  }
  for (const [sign, apply] of Object.entries(operations)) {
    const withNumbers = (a: unknown, b: unknown): number => apply(Number(a), Number(b))
    environment.registerOperator(`double ${sign} int`, withNumbers)
    environment.registerOperator(`int ${sign} double`, withNumbers)
    if (sign === '%') environment.registerOperator('double % double', withNumbers)
  }
  return environment
}

/**
 * Compiles an expression of the Common Expression Language (https://cel.dev) once, at load, over the given names.
 * Only own members are reached, there are no user functions, and regular expressions (`matches`) are refused, because
 * they may run for ever on hostile input (SEC-75, SEC-76).
 *
 * ```ts
 * const compiled = compileExpression('data.total > 100', ['event', 'data', 'meta'])
 * if (compiled.ok) compiled.expression.evaluate({ data: { total: 120 } }) // true
 * ```
 */
export function compileExpression(text: string, names: readonly string[]): CompiledExpression {
  if (text.length > maxLength) return { ok: false, problem: `longer than ${maxLength} characters` }
  const environment = environmentFor(names)
  try {
    const run = environment.parse(text)
    const known = new Set(names)
    const uses = new Set<string>()
    const refused = inspect(run.ast, (name) => known.has(name) && uses.add(name))
    if (refused !== undefined) return { ok: false, problem: refused }
    const checked = run.check()
    if (!checked.valid) return { ok: false, problem: problemOf(checked.error, text, names) }
    const only = onlyOf(run.ast)
    const lenient = environment.parse(withNulls(text, run.ast))
    lenient.check()
    const evaluateIn = (scope: Readonly<Record<string, unknown>>): Json => evaluate(text, lenient, scope)
    return { ok: true, expression: { text, uses, only, evaluate: constantOf(run.ast) ?? evaluateIn } }
  } catch (error) {
    return { ok: false, problem: problemOf(error, text, names) }
  }
}

/** A text or truth value that stands for itself need not be evaluated. */
function constantOf(ast: unknown): (() => Json) | undefined {
  const { op, args: value } = ast as { readonly op?: string; readonly args?: unknown }
  if (op !== 'value' || (typeof value !== 'string' && typeof value !== 'boolean')) return undefined
  return () => value
}

/** One for each set of names: thousands of expressions share it. */
const environments = new Map<string, Environment>()

function environmentFor(names: readonly string[]): Environment {
  const key = names.join(' ')
  let environment = environments.get(key)
  if (environment === undefined) {
    environment = createEnvironment()
    for (const name of names) environment.registerVariable(name, 'dyn')
    environments.set(key, environment)
  }
  return environment
}

/** The names that expressions over an event may use. */
export const eventNames = ['event', 'data', 'meta'] as const

/** What an expression over an event sees: `event` is the envelope, `data` and `meta` stand beside it. Only what it uses is read. */
export function scopeOf(event: Event, uses: ReadonlySet<string>): Record<string, unknown> {
  return {
    event: uses.has('event') ? envelopeOf(event) : undefined,
    data: uses.has('data') ? (event.peek() ?? null) : undefined,
    meta: uses.has('meta') ? event.meta : undefined,
  }
}

function envelopeOf(event: Event): Readonly<Record<string, Json>> {
  const { id, source, type, subject, time, recordedtime, sequence, datacontenttype, dataschema } = event
  return {
    id,
    source,
    type,
    time,
    recordedtime,
    sequence,
    ...(subject !== undefined && { subject }),
    ...(datacontenttype !== undefined && { datacontenttype }),
    ...(dataschema !== undefined && { dataschema }),
  }
}

function evaluate(
  text: string,
  run: (scope: Record<string, unknown>) => unknown,
  scope: Readonly<Record<string, unknown>>,
): Json {
  let value: unknown
  try {
    value = run(scope as Record<string, unknown>)
  } catch (error) {
    throw new ExpressionError(`${shorten(text)}: ${firstLine(error)}`)
  }
  return jsonOf(value, text)
}

const macros: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'existsOne', 'filter', 'map'])

/**
 * Walks the tree; answers what is refused. A loop inside a loop may go only over members of the outer loop's own value:
 * all loops together then visit each value of the data about once, however they are nested.
 */
function inspect(node: unknown, onName: (name: string) => void, loop?: string): string | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  if (Array.isArray(node)) {
    for (const part of node) {
      const refused = inspect(part, onName, loop)
      if (refused !== undefined) return refused
    }
    return undefined
  }
  const { op, args } = node as { op?: string; args?: unknown }
  if (op === 'id') onName(String(args))
  if (op !== 'call' && op !== 'rcall') return inspect(args, onName, loop)
  const [name, receiver, inner] = args as readonly [string, unknown, readonly unknown[]]
  if (name === 'matches')
    return 'matches() is not available, because a regular expression may run for ever; use startsWith, endsWith or contains'
  if (op === 'call' || !macros.has(name)) return inspect([receiver, inner], onName, loop)
  if (loop !== undefined && rootOf(receiver) !== loop)
    return `${name}() inside another loop may only go over members of ${loop}`
  const variable = (inner[0] as { args?: unknown } | undefined)?.args
  return inspect(receiver, onName, loop) ?? inspect(inner, onName, String(variable))
}

/** The name at the beginning of a path such as `item.tags`. */
function rootOf(node: unknown): string | undefined {
  let { op, args } = node as { op?: string; args?: unknown }
  while (op === '.' || op === '.?' || op === '[]' || op === '[?]') ({ op, args } = (args as [typeof node])[0] as never)
  return op === 'id' ? String(args) : undefined
}

interface Node {
  readonly op?: string
  readonly args?: unknown
  readonly start: number
  readonly end: number
}

/** Compared by == or !=, a member that is missing is null: `data.test != true` holds where there is no `test`. */
function withNulls(text: string, ast: unknown): string {
  const members: Node[] = []
  const collect = (node: unknown): void => {
    if (Array.isArray(node)) for (const part of node) collect(part)
    if (typeof node !== 'object' || node === null) return
    const { op, args } = node as Node
    const isMember = (part: Node): boolean => (pathOf(part)?.length ?? 0) > 1
    if (op === '==' || op === '!=') for (const side of args as readonly Node[]) if (isMember(side)) members.push(side)
    collect(args)
  }
  collect(ast)
  return members
    .sort((a, b) => b.start - a.start)
    .reduce((before, node) => {
      const [name, ...rest] = pathOf(node)!
      const member = `${name}${rest.map((each) => `[?${JSON.stringify(each)}]`).join('')}.orValue(dyn(null))`
      return before.slice(0, node.start) + member + before.slice(node.end)
    }, text)
}

/** The first comparison of a member with a text that holds whenever the whole does. */
function onlyOf(node: unknown): Expression['only'] {
  const { op, args } = node as { readonly op?: string; readonly args?: readonly unknown[] }
  if (op === '&&') return onlyOf(args![0]) ?? onlyOf(args![1])
  if (op !== '==') return undefined
  const [left, right] = args!
  return equality(left, right) ?? equality(right, left)
}

function equality(member: unknown, literal: unknown): Expression['only'] {
  const { op, args: value } = literal as { readonly op?: string; readonly args?: unknown }
  if (op !== 'value' || typeof value !== 'string') return undefined
  const path = pathOf(member) ?? []
  // The index joins names by dots.
  if (path.some((name) => name.includes('.'))) return undefined
  const isKnown = path[0] === 'event' ? path.length === 2 && indexed.has(path[1]!) : path.length > 1
  return isKnown ? { path: path.join('.'), value } : undefined
}

/** What of the envelope an index of readers looks at. */
const indexed: ReadonlySet<string> = new Set(['id', 'source', 'type', 'subject'])

/** `meta.tenant` or `meta["tenant"]` as its names; undefined for anything else. */
function pathOf(node: unknown): readonly string[] | undefined {
  const { op, args } = node as { readonly op?: string; readonly args?: unknown }
  if (op === 'id') return [String(args)]
  if (op !== '.' && op !== '[]') return undefined
  const [object, member] = args as readonly [unknown, unknown]
  const name = op === '.' ? member : (member as { readonly op?: string; readonly args?: unknown }).args
  const path = pathOf(object)
  if (path === undefined || typeof name !== 'string' || (op === '[]' && !isValue(member))) return undefined
  return [...path, name]
}

function isValue(node: unknown): boolean {
  return (node as { readonly op?: string }).op === 'value'
}

function problemOf(error: unknown, text: string, names: readonly string[]): string {
  const { range } = error as { range?: { start?: number } }
  const at = range?.start === undefined ? '' : ` at character ${range.start + 1}`
  const line = firstLine(error).replace('Unexpected token: EOF', 'it ends too early')
  return `not a valid expression${at}: ${line}${hintFor(line, text, names)}`
}

function hintFor(line: string, text: string, names: readonly string[]): string {
  if (line === 'Unexpected character: =') return '; to compare, write =='
  if (!line.startsWith('Unknown variable')) return ''
  const isWord = /^[\w.-]+$/.test(text)
  return `; there are: ${names.join(', ')}${isWord ? '. A text that stands for itself is written in quotes' : ''}`
}

const firstLine = (error: unknown): string => String((error as Error).message).split('\n')[0]!
