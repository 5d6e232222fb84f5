import { expect, test } from 'vitest'
import { stageInputOf } from '../testing/stage-cases.ts'
import { split } from './split.ts'
import { opened } from './stages.test-support.ts'

const event = { data: '{"id":"o1","items":[{"sku":"a"},{"sku":"b"}]}', subject: 'o1', time: '2026-01-01T00:00:00Z' }

test('each element becomes an event with the time and subject of its parent', async () => {
  const stage = await opened(split, { list: 'data.items', type: 'order.item' })
  expect(stage.process(stageInputOf(event))).toEqual({
    outcome: 'ack',
    derive: ['a', 'b'].map((sku) => ({ type: 'order.item', time: event.time, subject: 'o1', data: { sku } })),
  })
})

test('data and subject of each can be made from the element, its index and the parent', async () => {
  const stage = await opened(split, {
    list: 'data.items',
    type: 'order.item',
    data: '{"order": data.id, "place": index, "sku": item.sku}',
    subject: 'item.sku',
  })
  expect(stage.process(stageInputOf(event))).toMatchObject({
    derive: [{ subject: 'a', data: { order: 'o1', place: 0, sku: 'a' } }, { subject: 'b' }],
  })
})

test('a type that no event can have is a problem of the configuration', () => {
  for (const type of ['order item', 'order.*', 'millrace.item', ''])
    expect(split.declaration.options.safeParse({ list: 'data.items', type }).success).toBe(false)
})

test('what is no list, or too long a one, is rejected', async () => {
  const stage = await opened(split, { list: 'data.items', type: 'order.item', max: 1 })
  expect(stage.process(stageInputOf(event))).toMatchObject({
    outcome: 'reject',
    reason: expect.stringContaining('2 elements'),
  })
  expect(stage.process(stageInputOf({ data: '{"items":3}' }))).toMatchObject({ outcome: 'reject' })
  expect(stage.process(stageInputOf())).toMatchObject({ outcome: 'reject' })
})
