import type { Json } from '../core/event.ts'
import { hasRounded } from '../core/rounded.ts'
import { compileExpression, type Expression, scopeOf } from '../plugin/expression.ts'
import { ExpressionError, shorten } from '../plugin/expression-value.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput } from '../plugin/stage.ts'

/** The names that an expression of a stage may use. */
export const stageNames = ['event', 'data', 'meta', 'context'] as const

/** An option that is an expression (CEL), checked when the configuration is. */
export function expressionOption(description: string, names: readonly string[] = stageNames) {
  return schema
    .string()
    .min(1)
    .describe(description)
    .transform((text, context): Expression => {
      const compiled = compileExpression(text, names)
      if (compiled.ok) return compiled.expression
      context.addIssue({ code: 'custom', message: compiled.problem })
      return schema.NEVER
    })
}

/** An option that is a function, which only code can give. */
export function functionOption<F extends (...given: never[]) => unknown>(description: string) {
  return schema
    .custom<F>((value) => typeof value === 'function', { error: 'an expression, or in code a function, is needed' })
    .describe(description)
}

/**
 * What an expression makes of what a stage was given; `more` are names beside those of the event. Throws an
 * `ExpressionError` rather than give another number than the event has.
 */
export function evaluateFor(
  expression: Expression,
  { event, context }: Pick<StageInput, 'event' | 'context'>,
  more?: Readonly<Record<string, unknown>>,
): Json {
  const scope = scopeOf(event, expression.uses)
  scope['context'] = context
  const value = expression.evaluate(more === undefined ? scope : Object.assign(scope, more))
  if (hasRounded(value, event.record))
    throw new ExpressionError(
      `${shorten(expression.text)}: a whole number of the event is beyond 2^53 and would be rounded: send it as text`,
    )
  return value
}

/** Runs what evaluates expressions; one that cannot be evaluated for this event never can be, and is answered as rejected. */
export function rejectingExpressions<T>(run: () => T): T | { readonly outcome: 'reject'; readonly reason: string } {
  try {
    return run()
  } catch (error) {
    if (error instanceof ExpressionError) return { outcome: 'reject', reason: error.message }
    throw error
  }
}
