import { expect, test } from 'vitest'
import { stageInputOf } from '../testing/stage-cases.ts'
import { map } from './map.ts'
import { opened } from './stages.test-support.ts'

test('fields of data, type, subject and meta are made by expressions; what is not named stays', async () => {
  const stage = await opened(map, {
    data: { number: 'data.n + 1', from: 'event.source' },
    type: '"order." + string(data.n)',
    subject: 'data.n',
    meta: { tenant: '"x"', old: 'null' },
  })
  expect(stage.process(stageInputOf({ meta: '{"old":1,"kept":2}' }))).toEqual({
    outcome: 'ack',
    event: { data: { number: 2, from: 'shop' }, type: 'order.1', subject: '1', meta: { kept: 2, tenant: 'x' } },
  })
  const only = await opened(map, { type: '"a.b"' })
  expect(only.process(stageInputOf())).toEqual({ outcome: 'ack', event: { type: 'a.b' } })
})

test('data is also one expression, or a function in code', async () => {
  const whole = await opened(map, { data: '{"list": [data.n, 2]}' })
  expect(whole.process(stageInputOf())).toMatchObject({ event: { data: { list: [1, 2] } } })
  const made = await opened(map, { data: ({ event }: { event: { data: { n: number } } }) => event.data.n * 2 })
  expect(made.process(stageInputOf())).toMatchObject({ event: { data: 2 } })
})

test('an event for which an expression cannot be evaluated is rejected: it never can be', async () => {
  const stage = await opened(map, { data: { x: 'data.a.b' } })
  expect(stage.process(stageInputOf())).toMatchObject({
    outcome: 'reject',
    reason: expect.stringContaining('data.a.b'),
  })
})

test('what is infinite or no number is rejected, and never becomes null', async () => {
  for (const expression of ['data.n / 0', '[0 * (data.n / 0)]'])
    expect((await opened(map, { data: { x: expression } })).process(stageInputOf())).toMatchObject({
      outcome: 'reject',
      reason: expect.stringContaining('the result is infinite or no number'),
    })
})

// G4
test('a whole number that would be rounded is rejected with the reason, and never becomes another one', async () => {
  const said = async (expression: string, data: string) =>
    (await opened(map, { data: { x: expression } })).process(stageInputOf({ data }))
  const big = '{"n":9007199254740993,"list":[9007199254740993],"text":"9007199254740993"}'
  for (const expression of ['data.n', 'data.list', 'data', 'data.n + 0'])
    expect(await said(expression, big)).toMatchObject({
      outcome: 'reject',
      reason: expect.stringContaining('beyond 2^53 and would be rounded: send it as text'),
    })
  for (const expression of ['int(data.text)', '9007199254740993', '[9007199254740993]'])
    expect(await said(expression, big)).toMatchObject({
      outcome: 'reject',
      reason: expect.stringContaining('make it text with string()'),
    })
  expect(await said('string(int(data.text))', big)).toMatchObject({ event: { data: { x: '9007199254740993' } } })
  expect(await said('data.n', '{"n":9007199254740994}')).toMatchObject({ event: { data: { x: 9007199254740994 } } })
})
