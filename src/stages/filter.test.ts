import { expect, test } from 'vitest'
import { stageInputOf } from '../testing/stage-cases.ts'
import { filter } from './filter.ts'
import { opened } from './stages.test-support.ts'

test('what the expression is true for goes on, and the rest is discarded with the expression as the reason', async () => {
  const stage = await opened(filter, { when: 'data.n > 1 && event.type == "order.placed"' })
  expect(stage.process(stageInputOf({ data: '{"n":2}' }))).toBeUndefined()
  expect(stage.process(stageInputOf({ data: '{"n":1}' }))).toEqual({
    outcome: 'discard',
    reason: 'not true: data.n > 1 && event.type == "order.placed"',
  })
})

test('an expression that cannot be evaluated, or is not a truth value, is not true', async () => {
  expect((await opened(filter, { when: 'data.missing > 1' })).process(stageInputOf())).toMatchObject({
    outcome: 'discard',
  })
  expect((await opened(filter, { when: 'data.n' })).process(stageInputOf())).toMatchObject({ outcome: 'discard' })
})

test('what is not there is null to == and !=', async () => {
  const stage = await opened(filter, filter.declaration.example)
  expect(stage.process(stageInputOf({ data: '{"total":120}' }))).toBeUndefined()
  expect(stage.process(stageInputOf({ data: '{"test":true}' }))).toMatchObject({ outcome: 'discard' })
})

test('it sees the context, may be a function, and says a reason of its own', async () => {
  const byContext = await opened(filter, { when: 'context.kept.by == "nobody"', reason: 'nobody kept it' })
  expect(byContext.process(stageInputOf())).toEqual({ outcome: 'discard', reason: 'nobody kept it' })
  const byFunction = await opened(filter, { when: ({ event }: { event: { id: string } }) => event.id === 'event-1' })
  expect(byFunction.process(stageInputOf())).toBeUndefined()
  expect(byFunction.process(stageInputOf({ id: 'x' }))).toMatchObject({ outcome: 'discard' })
})

test('a wrong expression is a problem of the configuration', () => {
  expect(filter.declaration.options.safeParse({ when: 'dat.n > 1' }).success).toBe(false)
})
