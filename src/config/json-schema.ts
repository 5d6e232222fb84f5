import type { Catalogue } from '../plugin/catalogue.ts'
import type { AnyDeclaration } from '../plugin/define.ts'
import { isolateSetting } from '../plugin/isolate/setting.ts'
import { pipelineSchema, type Slots } from '../plugin/pipeline-schema.ts'
import { type Schema, schema } from '../plugin/schema.ts'
import { sourceSettings } from '../plugin/source-settings.ts'
import { stageSettings } from '../plugin/stage-slot.ts'

type Json = { [key: string]: unknown }

const filePattern = /^(?:\.{1,2}\/|\/|file:)/

/** The JSON Schema of configuration files, for editors: made from the schema that checks them and every plug-in's own. */
export function configJsonSchema(catalogue: Catalogue): Json {
  const made = jsonSchema(pipelineSchema(editorSlots(catalogue)))
  const { $schema, properties, required, ...rest } = made
  return withVariables({
    $schema,
    $id: 'millrace.schema.json',
    title: 'Millrace configuration',
    ...rest,
    // An editor's own mark; not a setting.
    properties: properties as Json,
    required: [...new Set([...((required as string[] | undefined) ?? []), 'store'])],
  }) as Json
}

/** The JSON Schema of one plug-in's options. */
export function optionsJsonSchema(declaration: AnyDeclaration): Json {
  const { $schema: _, ...rest } = jsonSchema(declaration.options)
  return rest
}

function jsonSchema(from: Schema): Json {
  return schema.toJSONSchema(from, { io: 'input', unrepresentable: 'any', target: 'draft-7' }) as Json
}

/** Slots that list every plug-in of the catalogue with its options, and leave room for files. */
function editorSlots(catalogue: Catalogue): Slots {
  const variants = (kind: 'store' | 'source' | 'sink'): Schema => {
    const own = schema.looseObject({
      type: schema.string().regex(filePattern).describe(`A file that exports a ${kind}.`),
    })
    return schema.union([...catalogue.all(kind).map((each) => named(each, 'type', settingsOf(each))), own])
  }
  const settings = { ...stageSettings, with: schema.unknown().describe("The stage's own options.").optional() }
  const stageFile = schema.strictObject({
    use: schema.string().regex(filePattern).describe('A file that exports a stage: ./enrich.ts or ./stages.ts#enrich.'),
    ...settings,
    isolate: isolateSetting.optional(),
  })
  const stages = catalogue.all('stage').map((each) => named(each, 'use', settings))
  return {
    store: variants('store'),
    source: variants('source'),
    sink: variants('sink'),
    stage: schema.union([...stages, stageFile]),
  } as Slots
}

function settingsOf(declaration: AnyDeclaration): Record<string, Schema> {
  return declaration.kind === 'source' && declaration.isPassive !== true ? sourceSettings : {}
}

/** A plug-in's options with the key that names it. */
function named(declaration: AnyDeclaration, key: 'type' | 'use', settings: Record<string, Schema> = {}): Schema {
  const name = schema.literal(declaration.name).describe(declaration.summary)
  const options = declaration.options instanceof schema.ZodOptional ? declaration.options.unwrap() : declaration.options
  if (options instanceof schema.ZodObject) return options.safeExtend({ ...settings, [key]: name })
  return schema.looseObject({ ...settings, [key]: name })
}

/** Wherever text of any form cannot stand, `${NAME}` can: it is replaced before the check. */
function withVariables(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withVariables)
  if (typeof node !== 'object' || node === null) return node
  const written = node as Json
  const copy = Object.fromEntries(
    Object.entries(written).map(([key, each]) => [key, key === 'propertyNames' ? each : withVariables(each)]),
  )
  const isNarrow =
    ['number', 'integer', 'boolean'].includes(String(written['type'])) ||
    (written['type'] === 'string' && ['pattern', 'format', 'enum'].some((key) => key in written))
  if (!isNarrow) return copy
  const { description, default: fallback, ...rest } = copy
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [rest, { type: 'string', pattern: '\\$\\{' }],
  }
}
