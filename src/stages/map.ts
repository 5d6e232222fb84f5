import type { Json } from '../core/event.ts'
import { evaluateFor, expressionOption, functionOption, rejectingExpressions } from '../io/expression-option.ts'
import { textOfValue } from '../io/pick.ts'
import { defineStage } from '../plugin/define.ts'
import type { Expression } from '../plugin/expression.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput, StageResult } from '../plugin/stage.ts'

type Changed = NonNullable<StageResult['event']>

/** Makes the new data of an event; in code, as a function without side effects. */
export type MapFunction = (input: StageInput) => unknown

const ofData =
  'The new data: an expression (CEL) over event, data, meta and context, or one for each field. Absent: unchanged.'

const options = schema.strictObject({
  data: schema
    .union([
      expressionOption(ofData),
      schema.record(schema.string(), expressionOption('The value of this field.')),
      functionOption<MapFunction>(ofData),
    ])
    .describe(ofData)
    .optional(),
  type: expressionOption('The new type, as an expression. Absent: unchanged.').optional(),
  subject: expressionOption('The new subject, as an expression; null: none. Absent: unchanged.').optional(),
  meta: schema
    .record(
      schema.string().refine((name) => name !== '__proto__', { error: 'no entry of meta has this name' }),
      expressionOption('The value of this entry; null removes it.'),
    )
    .describe('Entries of meta to add or replace, each an expression; null removes one.')
    .optional(),
})

/** Makes another event of an event: its data, type, subject and meta. */
export const map = defineStage({
  name: 'map',
  summary: 'Changes data, type, subject or meta of an event by expressions.',
  isPure: true,
  options,
  example: { data: { order: 'data.id', total: 'data.price * data.count' } },
  create({ data, type, subject, meta }) {
    const dataOf = data === undefined ? undefined : dataMaker(data)
    const changes = meta === undefined ? undefined : Object.entries(meta)
    const make = (input: StageInput): StageResult => {
      const event: { -readonly [Field in keyof Changed]: Changed[Field] } = {}
      if (dataOf !== undefined) event.data = dataOf(input) as Json
      if (type !== undefined) event.type = textOf(evaluateFor(type, input), 'type')
      if (subject !== undefined) event.subject = textOfValue(evaluateFor(subject, input))
      if (changes !== undefined) event.meta = metaOf(changes, input)
      return { outcome: 'ack', event }
    }
    return { process: (input) => rejectingExpressions(() => make(input)) }
  },
})

function dataMaker(data: NonNullable<schema.output<typeof options>['data']>): (input: StageInput) => unknown {
  if (typeof data === 'function') return data
  if (isExpression(data)) return (input) => evaluateFor(data, input)
  const fields = Object.entries(data)
  return (input) => Object.fromEntries(fields.map(([name, each]) => [name, evaluateFor(each, input)]))
}

function metaOf(
  changes: readonly (readonly [string, Expression])[],
  input: StageInput,
): Readonly<Record<string, Json>> {
  const meta: Record<string, Json> = { ...input.event.meta }
  for (const [name, expression] of changes) {
    const value = evaluateFor(expression, input)
    if (value === null) delete meta[name]
    else meta[name] = value
  }
  return meta
}

function isExpression(value: Expression | Readonly<Record<string, Expression>>): value is Expression {
  return typeof value['evaluate'] === 'function'
}

function textOf(value: Json, field: string): string {
  const text = textOfValue(value)
  if (text === undefined) throw new Error(`the expression for ${field} gives no text`)
  return text
}
