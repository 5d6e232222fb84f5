import type { DebounceRule } from '../core/debounce.ts'
import type { Catalogue, DeclarationOf } from './catalogue.ts'
import { type Checked, check, type SchemaIssue } from './check.ts'
import type { AnyDeclaration, Definition, PluginKind, Use } from './define.ts'
import { type Schema, schema } from './schema.ts'
import { checkWithSourceSettings } from './source-settings.ts'

/** A plug-in named by its kind's name, as in a file: `{ type: webhook, url: … }`. */
export interface NamedUse {
  readonly type: string
  readonly [option: string]: unknown
}

/** What may stand where a plug-in is needed: in code its definition called with options, in a file its name and options. */
export type SlotInput<D extends AnyDeclaration> = Use<D> | NamedUse

/** A plug-in and its options, checked by the plug-in's own schema. */
export interface CheckedUse<D extends AnyDeclaration> {
  readonly declaration: D
  readonly options: unknown
  /** Of a source: which of its events wait for each other. */
  readonly debounce?: readonly DebounceRule[] | undefined
}

export type SlotKind = Exclude<PluginKind, 'stage'>

/** The schema of a place in the configuration where a plug-in stands. */
export type Slot<K extends SlotKind> = schema.ZodType<CheckedUse<DeclarationOf[K]>, SlotInput<DeclarationOf[K]>>

/** A slot that looks names up and checks the options in the same pass as everything around them. */
export function checkingSlot<K extends SlotKind>(kind: K, catalogue: Catalogue): Slot<K> {
  return schema
    .custom<SlotInput<DeclarationOf[K]>>(() => true)
    .transform((value, context): CheckedUse<DeclarationOf[K]> => answer(checkUse(kind, value, catalogue), context))
}

/** Hands finished issues through the schema library, which puts the path in front of them. */
export function answer<T, Input>(checked: Checked<T>, context: schema.core.$RefinementCtx<Input>): T {
  if (checked.ok) return checked.value
  for (const issue of checked.issues)
    context.addIssue({
      code: 'custom',
      path: [...issue.path],
      message: issue.message,
      params: { issue },
    })
  return schema.NEVER
}

/** One problem, as an answer. */
export function problem(
  message: string,
  path: SchemaIssue['path'] = [],
  more: Partial<SchemaIssue> = {},
): Checked<never> {
  const { available, ...rest } = more
  const list = available === undefined || available.length === 0 ? {} : { available }
  return { ok: false, issues: [{ code: 'config-invalid', message, path, ...rest, ...list }] }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** True for a plug-in called with its options. */
export function isUse(value: unknown): value is Use {
  return isObject(value) && isObject(value['declaration']) && 'options' in value
}

/** True for what `define…()` made. */
export function isDefinition(value: unknown): value is Definition<AnyDeclaration, Schema> {
  return typeof value === 'function' && isObject((value as { declaration?: unknown }).declaration)
}

/** True for the path of a file, which is then loaded beside the configuration. */
export function isFilePath(text: string): boolean {
  return /^(?:\.{1,2}\/|\/|file:)/.test(text)
}

/** Finds the declaration that a slot's value means. */
export function declarationOf<K extends PluginKind>(
  kind: K,
  named: unknown,
  catalogue: Catalogue,
  path: SchemaIssue['path'],
): Checked<DeclarationOf[K]> {
  if (typeof named === 'string') {
    const found = catalogue.find(kind, named)
    if (found !== undefined) return { ok: true, value: found }
    if (isFilePath(named))
      return problem(
        'a file can be named only in a configuration file; in code, import it and put its value here',
        path,
      )
    return { ok: false, issues: [{ ...catalogue.unknown(kind, named), path }] }
  }
  const declaration = isDefinition(named) || isUse(named) ? named.declaration : undefined
  if (declaration === undefined)
    return problem(`the name of a ${kind} is needed`, path, { available: catalogue.names(kind) })
  if (declaration.kind !== kind)
    return problem(`${declaration.name} is a ${declaration.kind}, and a ${kind} is needed here`, path)
  return { ok: true, value: declaration as DeclarationOf[K] }
}

/** Checks options by the schema of their plug-in. */
export function checkOptions<D extends AnyDeclaration>(declaration: D, options: unknown): Checked<CheckedUse<D>> {
  const checked = check(declaration.options, options)
  return checked.ok ? { ok: true, value: { declaration, options: checked.value } } : checked
}

/** The same in a place of the configuration, where sources have settings beside their own options. */
function checkPlaced<D extends AnyDeclaration>(declaration: D, options: unknown): Checked<CheckedUse<D>> {
  if (declaration.kind !== 'source' || declaration.isPassive === true) return checkOptions(declaration, options)
  const checked = checkWithSourceSettings(options, (own) => checkOptions(declaration, own))
  if (!checked.ok) return checked
  const { own, debounce } = checked.value
  return { ok: true, value: debounce === undefined ? own : { ...own, debounce } }
}

function checkUse<K extends SlotKind>(
  kind: K,
  value: unknown,
  catalogue: Catalogue,
): Checked<CheckedUse<DeclarationOf[K]>> {
  if (isUse(value)) {
    const declared = declarationOf(kind, value, catalogue, [])
    return declared.ok ? checkPlaced(declared.value, value.options) : declared
  }
  if (isDefinition(value)) return problem(`call it with its options: ${value.declaration.name}({ … })`)
  const available = catalogue.names(kind)
  if (value === undefined || value === null)
    return problem(`this setting is missing: { type: … } with a ${kind} is needed`, [], { available })
  if (!isObject(value))
    return problem(
      `a mapping with a type is needed: { type: ${typeof value === 'string' && available.includes(value) ? value : '…'} }`,
      [],
      { available },
    )
  const { type, use, ...options } = value
  if (type !== undefined && use !== undefined)
    return problem('type and use mean the same: give one of them', ['use'], { isAboutKey: true })
  const named = type ?? use
  if (named === undefined)
    return problem(`the type is missing: write type: and the name of a ${kind}`, [], { available })
  const declared = declarationOf(kind, named, catalogue, [type === undefined ? 'use' : 'type'])
  return declared.ok ? checkPlaced(declared.value, options) : declared
}
