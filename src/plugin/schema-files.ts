import { isPlainObject } from '../core/event-fields.ts'
import type { Catalogue } from './catalogue.ts'
import type { SchemaIssue } from './check.ts'
import { schemaFileProblem } from './register-schemas.ts'
import { declarationOf } from './slots.ts'

type Written = Readonly<Record<string, unknown>>

/** What is wrong with the schema files that stages name, found before anything starts. */
export function schemaFileIssues(config: unknown, catalogue: Catalogue, directory: string): SchemaIssue[] {
  return Object.entries(mapping(mapping(config)['subscriptions'])).flatMap(([name, subscription]) => {
    const { stages } = mapping(subscription)
    return (Array.isArray(stages) ? stages : []).flatMap((stage: unknown, index) =>
      [...filesOf(stage, catalogue)].flatMap(([path, file]): SchemaIssue[] => {
        const message = schemaFileProblem(file, directory)
        if (message === undefined) return []
        return [{ code: 'config-invalid', path: ['subscriptions', name, 'stages', index, ...path], message }]
      }),
    )
  })
}

/** The schema files of one stage, with where they are named in it. */
function* filesOf(stage: unknown, catalogue: Catalogue): Generator<readonly [readonly string[], string]> {
  const entry = mapping(stage)
  // `stage()` has its settings inside, and a stage by value its options.
  const { input } = entry['kind'] === 'function-stage' ? mapping(entry['settings']) : entry
  if (typeof input === 'string') yield [['input'], input]
  const declared = declarationOf('stage', entry['declaration'] === undefined ? entry['use'] : stage, catalogue, [])
  if (!declared.ok) return
  const { path, options } = optionsOf(entry)
  for (const name of declared.value.dataSchemas ?? []) {
    const file = options[name]
    if (typeof file === 'string') yield [[...path, name], file]
  }
}

function optionsOf(entry: Written): { readonly path: readonly string[]; readonly options: Written } {
  const given = mapping(entry['options'] ?? mapping(entry['use'])['options'])
  if (entry['with'] !== undefined) return { path: ['with'], options: mapping(entry['with']) }
  return { path: [], options: { ...entry, ...given } }
}

function mapping(value: unknown): Written {
  return isPlainObject(value) || typeof value === 'function' ? (value as Written) : {}
}
