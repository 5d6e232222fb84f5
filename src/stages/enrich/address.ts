import type { Json } from '../../core/event.ts'
import { stageNames } from '../../io/expression-option.ts'
import { compileExpression, type Expression } from '../../plugin/expression.ts'
import { schema } from '../../plugin/schema.ts'

/** A URL with expressions in it, `https://crm.example/customers/{data.customer}`: texts and expressions in turn. */
export type Address = readonly (string | Expression)[]

const beforePath = /^https?:\/\/[^/{}?#@\s]+[/?]/i

/** An option that is such a URL. The host stands in it as it is: no event chooses where a request goes. */
export function addressOption(description: string) {
  return schema
    .string()
    .min(1)
    .max(4096)
    .describe(description)
    .transform((text, context): Address => {
      const problem = (message: string): never => {
        context.addIssue({ code: 'custom', message })
        return schema.NEVER
      }
      if (!beforePath.test(text) || !URL.canParse(text.replaceAll(/\{[^{}]*\}/g, 'x')))
        return problem('a URL is needed, https://… with a path, and expressions in { } only after the host')
      const parts: (string | Expression)[] = []
      for (const [, plain, inside] of text.matchAll(/([^{}]+)|\{([^{}]*)\}/g)) {
        if (plain !== undefined) parts.push(plain)
        else {
          const compiled = compileExpression(inside!, stageNames)
          if (!compiled.ok) return problem(`{${inside}}: ${compiled.problem}`)
          parts.push(compiled.expression)
        }
      }
      return parts
    })
}

/** The URL for an event; undefined when an expression gives no text, which then is no part of a path. */
export function addressFor(address: Address, evaluate: (expression: Expression) => Json): URL | undefined {
  let text = ''
  for (const part of address) {
    const value = typeof part === 'string' ? part : evaluate(part)
    if (value === null || typeof value === 'object' || value === '') return undefined
    // Dots alone would climb in the path, encoded or not.
    if (typeof part !== 'string' && /^\.{1,2}$/.test(String(value))) return undefined
    text += typeof part === 'string' ? part : encodeURIComponent(String(value))
  }
  return new URL(text)
}
