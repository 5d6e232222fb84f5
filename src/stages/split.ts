import { eventTypeOption } from '../io/event-type.ts'
import { evaluateFor, expressionOption, rejectingExpressions, stageNames } from '../io/expression-option.ts'
import { textOfValue } from '../io/pick.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput, StageResult } from '../plugin/stage.ts'
import { count } from '../plugin/values.ts'

const ofItem = [...stageNames, 'item', 'index'] as const

const options = schema.strictObject({
  list: expressionOption('The list in the event, as an expression (CEL): data.items.'),
  type: eventTypeOption('The type of the events that are made.'),
  data: expressionOption(
    'The data of each, as an expression that also knows item and index. Default: the item.',
    ofItem,
  ).optional(),
  subject: expressionOption(
    'The subject of each, as such an expression. Default: that of the event.',
    ofItem,
  ).optional(),
  max: count('Elements at most; an event with more is rejected. Default: 1000.').default(1000),
})

/** Makes an event of each element of a list, stored with the step; the event itself goes on. */
export const split = defineStage({
  name: 'split',
  summary: 'Makes an event of its own of each element of a list in an event.',
  options,
  example: { list: 'data.items', type: 'order.item' },
  create: (given) => ({ process: (input) => rejectingExpressions(() => splitUp(given, input)) }),
})

function splitUp({ list, type, data, subject, max }: schema.output<typeof options>, input: StageInput): StageResult {
  const items = evaluateFor(list, input)
  if (!Array.isArray(items)) return { outcome: 'reject', reason: `${list.text.slice(0, 100)} is not a list` }
  if (items.length > max) return { outcome: 'reject', reason: `the list has ${items.length} elements, at most ${max}` }
  return {
    outcome: 'ack',
    derive: items.map((item, index) => {
      const names = { item, index }
      const of = subject === undefined ? input.event.subject : textOfValue(evaluateFor(subject, input, names))
      return {
        type,
        time: input.event.time,
        data: data === undefined ? item : evaluateFor(data, input, names),
        ...(of !== undefined && { subject: of }),
      }
    }),
  }
}
