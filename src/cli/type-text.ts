import { isPlainObject } from '../core/event-fields.ts'

type Members = Readonly<Record<string, unknown>>

/**
 * A type as text. What binds weaker is put in brackets where something is written around it: a union weakest, then an
 * intersection, then `readonly` of a list.
 */
interface Text {
  readonly text: string
  readonly binds: 'whole' | 'readonly' | 'intersection' | 'union'
}

interface Place {
  readonly root: Members
  /** References that are being followed: a schema that contains itself is `unknown` there. */
  readonly open: readonly string[]
  readonly indent: string
}

/** The TypeScript type of the data that fits a JSON Schema, or a wider one where TypeScript cannot say it. */
export function typeText(schema: unknown): string {
  return typeOf(schema, { root: isPlainObject(schema) ? schema : {}, open: [], indent: '' }).text
}

/** All that a schema says holds at once. */
function typeOf(schema: unknown, place: Place): Text {
  if (schema === false) return whole('never')
  if (!isPlainObject(schema)) return whole('unknown')
  const { $ref, enum: listed, anyOf, oneOf, allOf } = schema
  const each = (schemas: readonly unknown[]) => schemas.map((one) => typeOf(one, place))
  return intersection([
    ...(typeof $ref === 'string' ? [referenced($ref, place)] : []),
    ownType(schema, listed, place),
    ...[anyOf, oneOf].filter((some) => Array.isArray(some)).map((some) => union(each(some))),
    ...(Array.isArray(allOf) ? each(allOf) : []),
  ])
}

function ownType(schema: Members, listed: unknown, place: Place): Text {
  if (Object.hasOwn(schema, 'const')) return whole(JSON.stringify(schema['const']))
  if (Array.isArray(listed)) return union(listed.map((value) => whole(JSON.stringify(value))))
  const { type, nullable } = schema
  const names = (Array.isArray(type) ? type : type === undefined ? impliedTypes(schema) : [type]).map(String)
  if (names.length === 0) return whole('unknown')
  return union([...names, ...(nullable === true ? ['null'] : [])].map((name) => plain(name, schema, place)))
}

/** Who names properties means an object. */
function impliedTypes({ properties, required }: Members): readonly string[] {
  return isPlainObject(properties) || (Array.isArray(required) && required.length > 0) ? ['object'] : []
}

function referenced(reference: string, place: Place): Text {
  if (!/^#(?:\/|$)/.test(reference) || place.open.includes(reference)) return whole('unknown')
  const names = reference.split('/').slice(1).map(decodeURIComponent)
  const target = names.reduce<unknown>(
    (node, name) => (node as Members | undefined)?.[name.replaceAll('~1', '/').replaceAll('~0', '~')],
    place.root,
  )
  return typeOf(target, { ...place, open: [...place.open, reference] })
}

function plain(type: string, schema: Members, place: Place): Text {
  switch (type) {
    case 'integer':
      return whole('number')
    case 'array':
      return list(schema, place)
    case 'object':
      return object(schema, place)
    default:
      return whole(['string', 'number', 'boolean', 'null'].includes(type) ? type : 'unknown')
  }
}

function list({ prefixItems, items, minItems }: Members, place: Place): Text {
  const rest = items === false ? undefined : `${within(typeOf(items, place), 'whole')}[]`
  if (!Array.isArray(prefixItems)) return { text: `readonly ${rest ?? 'never[]'}`, binds: 'readonly' }
  const needed = typeof minItems === 'number' ? minItems : 0
  const first = prefixItems.map((each, index) => {
    const { text } = typeOf(each, place)
    return index < needed ? text : `(${text})?`
  })
  const parts = [...first, ...(rest === undefined ? [] : [`...${rest}`])]
  return { text: `readonly [${parts.join(', ')}]`, binds: 'readonly' }
}

function object(schema: Members, place: Place): Text {
  const { properties, required } = schema
  const known = isPlainObject(properties) ? properties : {}
  const needed = new Set(Array.isArray(required) ? required.map(String) : [])
  const indent = `${place.indent}  `
  const others = otherMembers(schema, place)
  const named = [...Object.keys(known), ...[...needed].filter((name) => !Object.hasOwn(known, name))]
  const members = named.map((name) => {
    const each = known[name]
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)
    const { description } = isPlainObject(each) ? each : {}
    const told = typeof description === 'string' ? `${indent}/** ${description.replaceAll('*/', '*\\/')} */\n` : ''
    const { text } = Object.hasOwn(known, name) ? typeOf(each, { ...place, indent }) : (others ?? whole('unknown'))
    return `${told}${indent}readonly ${key}${needed.has(name) ? '' : '?'}: ${text}`
  })
  if (members.length === 0) return whole(`Readonly<Record<string, ${(others ?? whole('unknown')).text}>>`)
  // Members of other names have a type of their own, which TypeScript cannot keep apart from that of the known ones.
  const open = others === undefined || others.text === 'never' ? [] : [`${indent}readonly [name: string]: unknown`]
  return whole(`{\n${[...members, ...open].join('\n')}\n${place.indent}}`)
}

/** What members may be that `properties` does not name; undefined: nothing is said of them. */
function otherMembers({ patternProperties, additionalProperties }: Members, place: Place): Text | undefined {
  const patterns = Object.values(isPlainObject(patternProperties) ? patternProperties : {})
  if (additionalProperties !== false && !isPlainObject(additionalProperties)) return undefined
  return union([...patterns, additionalProperties].map((each) => typeOf(each, place)))
}

const whole = (text: string): Text => ({ text, binds: 'whole' })
const strength = ['union', 'intersection', 'readonly', 'whole'] as const

function within({ text, binds }: Text, around: Text['binds']): string {
  return strength.indexOf(binds) < strength.indexOf(around) ? `(${text})` : text
}

function union(types: readonly Text[]): Text {
  if (types.some(({ text }) => text === 'unknown')) return whole('unknown')
  const parts = distinct(types.filter(({ text }) => text !== 'never'))
  if (parts.length < 2) return parts[0] ?? whole('never')
  return { text: parts.map((each) => within(each, 'whole')).join(' | '), binds: 'union' }
}

function intersection(types: readonly Text[]): Text {
  if (types.some(({ text }) => text === 'never')) return whole('never')
  const parts = distinct(types.filter(({ text }) => text !== 'unknown'))
  if (parts.length < 2) return parts[0] ?? whole('unknown')
  return { text: parts.map((each) => within(each, 'readonly')).join(' & '), binds: 'intersection' }
}

function distinct(types: readonly Text[]): readonly Text[] {
  return [...new Map(types.map((each) => [each.text, each])).values()]
}
