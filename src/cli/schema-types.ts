import type { EventSchemas } from '../plugin/event-schemas.ts'
import { typeText } from './type-text.ts'

/** TypeScript types of the data of every registered event type: one for each version, and `Events` with the newest of each. */
export function schemaTypes(schemas: EventSchemas): string {
  const blocks = ['// Made by `millrace schema types`. Do not edit.']
  const newest: string[] = []
  // Types that differ only in their dots may not have one name, nor one that is taken.
  const taken = new Set(['Events'])
  const free = (name: string): string => {
    let given = name
    for (let n = 2; taken.has(given); n++) given = `${name}_${n}`
    taken.add(given)
    return given
  }
  for (const { type, versions, newest: last } of [...schemas.values()].sort(byType)) {
    let newestName = 'unknown'
    for (const { version, json } of [...versions.values()].sort((a, b) => a.version - b.version)) {
      const name = free(typeName(type, version, last))
      if (version === last) newestName = name
      const told = `/** The data of \`${type}\`, version ${version}. */`
      blocks.push(`${told}\nexport type ${name} = ${typeText(json ?? {})}`)
    }
    newest.push(`  ${JSON.stringify(type)}: ${newestName}`)
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
