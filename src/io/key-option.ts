import type { Expression } from '../plugin/expression.ts'
import type { StageInput } from '../plugin/stage.ts'
import { evaluateFor, expressionOption } from './expression-option.ts'
import { textOfValue } from './pick.ts'

/** An option that says what a stage keeps a value of its own for. */
export function keyOption(description: string) {
  return expressionOption(`${description} An expression, such as event.subject or data.device.`)
}

/** The key of an event as text; undefined where the expression says nothing or cannot be evaluated. */
export function keyFor(by: Expression, input: Pick<StageInput, 'event' | 'context'>): string | undefined {
  try {
    return textOfValue(evaluateFor(by, input))
  } catch {
    return undefined
  }
}

/** What is answered for an event without a key: nothing could be kept for it. */
export function withoutKey(by: Expression) {
  return { outcome: 'reject', reason: `it has no key: ${by.text.slice(0, 100)} is nothing for it` } as const
}
