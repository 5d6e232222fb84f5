import { isPlainObject } from './event-fields.ts'

/** An object of a schema with so many optional properties that it is probably several events in one. */
export interface GodObject {
  /** A JSON pointer into the data; empty for the whole. */
  readonly path: string
  readonly optional: number
}

/** The objects of a JSON Schema that have more optional properties than `most`: a consumer cannot know which belong together. */
export function findGodObjects(schema: unknown, most: number, path = ''): readonly GodObject[] {
  if (!isPlainObject(schema) || path.length > 500) return []
  const { properties, required, items } = schema
  const found: GodObject[] = []
  if (isPlainObject(properties)) {
    const needed = new Set<unknown>(Array.isArray(required) ? required : [])
    const optional = Object.keys(properties).filter((name) => !needed.has(name)).length
    if (optional > most) found.push({ path, optional })
    for (const [name, each] of Object.entries(properties)) found.push(...findGodObjects(each, most, `${path}/${name}`))
  }
  found.push(...findGodObjects(items, most, `${path}/*`))
  return found
}
