import type { Json } from '../core/event.ts'
import { compileExpression } from '../plugin/expression.ts'
import { ExpressionError } from '../plugin/expression-value.ts'
import { schema } from '../plugin/schema.ts'

/** Takes one value out of what a source has received; undefined when it is not there. */
export type Pick = (scope: Readonly<Record<string, unknown>>) => Json | undefined

/**
 * An option that says where a value is: a path (`$.order.id`, `$.items[0].sku`) into the first of the names, or an
 * expression over all of them. Checked when the configuration is.
 */
export function pickOption(description: string, names: readonly [string, ...string[]]) {
  return schema
    .string()
    .min(1)
    .describe(description)
    .transform((text, context): Pick => {
      const made = createPick(text, names)
      if (made.ok) return made.pick
      context.addIssue({ code: 'custom', message: made.problem })
      return schema.NEVER
    })
}

type Made = { readonly ok: true; readonly pick: Pick } | { readonly ok: false; readonly problem: string }

/** Reads a path or an expression. With `keepsNull`, null is a value like others, and not one that is not there. */
export function createPick(text: string, names: readonly [string, ...string[]], keepsNull = false): Made {
  const absent = keepsNull ? null : undefined
  if (text.startsWith('$')) return createPath(text, names[0], absent)
  const compiled = compileExpression(text, names)
  if (!compiled.ok) return compiled
  const { expression } = compiled
  return {
    ok: true,
    pick(scope) {
      try {
        return expression.evaluate(scope) ?? absent
      } catch (error) {
        // A member that is missing is a value that is not there.
        if (error instanceof ExpressionError) return undefined
        throw error
      }
    },
  }
}

const pathText = /^\$(?:\.[\w-]+|\[\d{1,9}\]|\["[^"\]]*"\])*$/
const pathStep = /\.([\w-]+)|\[(\d{1,9})\]|\["([^"\]]*)"\]/g

function createPath(text: string, root: string, absent: null | undefined): Made {
  if (text.length > 1_024 || !pathText.test(text))
    return { ok: false, problem: 'this is not a path: write it as $.order.id, $.items[0] or $["a name"]' }
  const steps = [...text.matchAll(pathStep)].map(([, name, index, quoted]) => name ?? quoted ?? Number(index))
  return {
    ok: true,
    pick(scope) {
      let value: unknown = scope[root]
      for (const step of steps) {
        const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        if (!isThere) return undefined
        value = (value as Readonly<Record<string | number, unknown>>)[step]
      }
      return value === null ? absent : (value as Json | undefined)
    },
  }
}

/** A value as the text of a field: numbers and truth values as they are written; undefined for what has no one text. */
export function textOfValue(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}
