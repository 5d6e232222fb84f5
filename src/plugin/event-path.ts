import type { Json } from '../core/event.ts'
import { schema } from './schema.ts'

/** A place in an event: the part it is in, and the members on the way; `*` stands for every element of a list. */
export interface EventPath {
  readonly text: string
  readonly root: string
  readonly steps: readonly (string | number | typeof everyElement)[]
}

/** Stands for every element of a list. */
export const everyElement: unique symbol = Symbol('every element')

const whole = /^[a-z]+(?:\.[\w-]+|\[\d{1,9}\]|\[\*\]|\["[^"\]]*"\])*$/
const step = /\.([\w-]+)|\[(\d{1,9})\]|\[(\*)\]|\["([^"\]]*)"\]/g

/** An option that names a place: `data.customer.email`, `data.items[*].card`, `meta.ip`. */
export function pathOption(description: string, roots: readonly string[]) {
  return schema
    .string()
    .min(1)
    .max(1024)
    .describe(description)
    .transform((text, context): EventPath => {
      const root = /^[a-z]+/.exec(text)?.[0] ?? ''
      if (whole.test(text) && roots.includes(root)) {
        const steps = [...text.slice(root.length).matchAll(step)].map(([, name, index, every, quoted]) =>
          every === undefined ? (name ?? quoted ?? Number(index)) : everyElement,
        )
        return { text, root, steps }
      }
      const message = `a path begins with ${roots.join(' or ')}, as ${roots[0]}.customer.email or ${roots[0]}.items[*].card`
      context.addIssue({ code: 'custom', message })
      return schema.NEVER
    })
}

/** A copy with another value at a place; undefined removes it. What is not there stays so, unless `makes` says to make it. */
export function changeAt(
  value: Json | undefined,
  steps: EventPath['steps'],
  change: (before: Json) => Json | undefined,
  makes = false,
): Json | undefined {
  const [first, ...rest] = steps
  if (first === undefined) return value === undefined && !makes ? undefined : change(value ?? null)
  if (first === everyElement) {
    if (!Array.isArray(value)) return value
    return kept(value.map((item: Json) => changeAt(item, rest, change, makes)))
  }
  if (Array.isArray(value)) {
    if (typeof first !== 'number' || first >= value.length) return value
    return kept(value.map((item: Json, index) => (index === first ? changeAt(item, rest, change, makes) : item)))
  }
  const isObject = typeof value === 'object' && value !== null
  if (!isObject && !makes) return value
  const members = new Map(isObject ? Object.entries(value) : [])
  const name = String(first)
  if (!members.has(name) && !makes) return value
  const changed = changeAt(members.get(name), rest, change, makes)
  if (changed === undefined) members.delete(name)
  else members.set(name, changed)
  // fromEntries defines members, so that a key `__proto__` stays a key.
  return Object.fromEntries(members)
}

const kept = (items: readonly (Json | undefined)[]): Json[] => items.filter((item) => item !== undefined)

/** Whether a value can be put at a place: missing members are made on the way, and nothing else is written over. */
export function hasRoom(value: Json | undefined, [step, ...rest]: EventPath['steps']): boolean {
  if (step === undefined || value === undefined || value === null) return true
  if (Array.isArray(value)) {
    if (step === everyElement) return value.every((item) => hasRoom(item, rest))
    return typeof step === 'number' && step < value.length && hasRoom(value[step], rest)
  }
  if (typeof value !== 'object' || step === everyElement) return false
  const name = String(step)
  return hasRoom(Object.hasOwn(value, name) ? (value as Readonly<Record<string, Json>>)[name] : undefined, rest)
}
