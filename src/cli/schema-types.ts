import { isPlainObject } from '../core/event-fields.ts'
import type { EventSchemas } from '../plugin/event-schemas.ts'

type Members = Readonly<Record<string, unknown>>

/** TypeScript types of the data of every registered event type: one for each version, and `Events` with the newest of each. */
export function schemaTypes(schemas: EventSchemas): string {
  const blocks = ['// Made by `millrace schema types`. Do not edit.']
  const newest: string[] = []
  for (const { type, versions, newest: last } of [...schemas.values()].sort(byType)) {
    for (const { version, json } of [...versions.values()].sort((a, b) => a.version - b.version)) {
      const name = typeName(type, version, last)
      const told = `/** The data of \`${type}\`, version ${version}. */`
      blocks.push(`${told}\nexport type ${name} = ${typeText(json ?? {}, { root: json ?? {}, open: [] }, '')}`)
    }
    newest.push(`  ${JSON.stringify(type)}: ${versions.has(last) ? typeName(type, last, last) : 'unknown'}`)
  }
  blocks.push(`/** The data of each type of event. */\nexport interface Events {\n${newest.join('\n')}\n}`)
  return `${blocks.join('\n\n')}\n`
}

function byType(a: { readonly type: string }, b: { readonly type: string }): number {
  return a.type < b.type ? -1 : 1
}

/** `order.placed` is `OrderPlaced`; older versions carry their number. */
function typeName(type: string, version: number, newest: number): string {
  const words = type.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  const name = words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('')
  const safe = /^[A-Z]/.test(name) ? name : `Event${name}`
  return version === newest ? safe : `${safe}V${version}`
}

interface Place {
  readonly root: Members
  /** References that are being followed: a schema that contains itself is `unknown` there. */
  readonly open: readonly string[]
}

function typeText(schema: unknown, place: Place, indent: string): string {
  if (schema === false) return 'never'
  if (!isPlainObject(schema)) return 'unknown'
  const { $ref, enum: listed, anyOf, oneOf, allOf, type } = schema
  if (typeof $ref === 'string') return referenceText($ref, place, indent)
  if (Object.hasOwn(schema, 'const')) return JSON.stringify(schema['const'])
  if (Array.isArray(listed)) return union(listed.map((value) => JSON.stringify(value)))
  const variants = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : undefined
  if (variants !== undefined) return union(variants.map((each) => typeText(each, place, indent)))
  if (Array.isArray(allOf)) return allOf.map((each) => wrapped(typeText(each, place, indent))).join(' & ')
  if (Array.isArray(type)) return union(type.map((each) => plainText(String(each), schema, place, indent)))
  if (typeof type === 'string') return plainText(type, schema, place, indent)
  return isPlainObject(schema['properties']) ? objectText(schema, place, indent) : 'unknown'
}

function referenceText(reference: string, { root, open }: Place, indent: string): string {
  if (!/^#(?:\/|$)/.test(reference) || open.includes(reference)) return 'unknown'
  const names = reference.split('/').slice(1)
  const target = names.reduce<unknown>(
    (node, name) => (node as Members | undefined)?.[name.replaceAll('~1', '/').replaceAll('~0', '~')],
    root,
  )
  return typeText(target, { root, open: [...open, reference] }, indent)
}

function plainText(type: string, schema: Members, place: Place, indent: string): string {
  switch (type) {
    case 'integer':
      return 'number'
    case 'array':
      return arrayText(schema, place, indent)
    case 'object':
      return objectText(schema, place, indent)
    default:
      return ['string', 'number', 'boolean', 'null'].includes(type) ? type : 'unknown'
  }
}

function arrayText({ prefixItems, items }: Members, place: Place, indent: string): string {
  const rest = items === false ? undefined : `${wrapped(typeText(items, place, indent))}[]`
  if (!Array.isArray(prefixItems)) return `readonly ${rest ?? 'never[]'}`
  const first = prefixItems.map((each) => `(${typeText(each, place, indent)})?`)
  return `readonly [${[...first, ...(rest === undefined ? [] : [`...${rest}`])].join(', ')}]`
}

function objectText(schema: Members, place: Place, indent: string): string {
  const { properties, required, additionalProperties } = schema
  const needed = new Set<unknown>(Array.isArray(required) ? required : [])
  const inner = `${indent}  `
  const members = Object.entries(isPlainObject(properties) ? properties : {}).map(([name, each]) => {
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)
    const { description } = isPlainObject(each) ? each : {}
    const told = typeof description === 'string' ? `${inner}/** ${description.replaceAll('*/', '*\\/')} */\n` : ''
    return `${told}${inner}readonly ${key}${needed.has(name) ? '' : '?'}: ${typeText(each, place, inner)}`
  })
  if (members.length > 0) return `{\n${members.join('\n')}\n${indent}}`
  const value = isPlainObject(additionalProperties) ? typeText(additionalProperties, place, indent) : 'unknown'
  return `Readonly<Record<string, ${additionalProperties === false ? 'never' : value}>>`
}

function union(types: readonly string[]): string {
  return [...new Set(types)].map(wrapped).join(' | ')
}

function wrapped(type: string): string {
  return /[|&]/.test(type) && !/^[{[("]/.test(type) ? `(${type})` : type
}
