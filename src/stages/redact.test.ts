import { expect, test } from 'vitest'
import { stageInputOf } from '../testing/stage-cases.ts'
import { redact } from './redact.ts'
import { opened } from './stages.test-support.ts'

const data = '{"a":{"email":"x@y.z","n":1},"items":[{"card":"1","k":1},{"card":"2"}],"list":[1,2,3]}'

test('values are masked or taken out, in objects, in every element of a list and in meta', async () => {
  const stage = await opened(redact, {
    mask: ['data.a.email', 'data.items[*].card', 'meta.ip'],
    remove: ['data.a.n', 'data.list[1]', 'meta["x y"]'],
  })
  expect(stage.process(stageInputOf({ data, meta: '{"ip":"1.2.3.4","x y":1,"z":2}' }))).toEqual({
    outcome: 'ack',
    event: {
      data: { a: { email: '***' }, items: [{ card: '***', k: 1 }, { card: '***' }], list: [1, 3] },
      meta: { ip: '***', z: 2 },
    },
  })
})

test('elements of a list that have no such place stay as they are, also nulls and lists', async () => {
  const stage = await opened(redact, { mask: ['data.items[*].card'], remove: ['data.rows[0].x'] })
  const odd = '{"items":[{"card":"1"},null,[1,[2]],5,{}],"rows":[[1,2],null]}'
  expect(stage.process(stageInputOf({ data: odd }))).toMatchObject({
    event: { data: { items: [{ card: '***' }, null, [1, [2]], 5, {}], rows: [[1, 2], null] } },
  })
})

test('a place that is not there is not made, and the mask can be chosen', async () => {
  const stage = await opened(redact, { mask: ['data.no.where', 'data.n'], replacement: '-' })
  expect(stage.process(stageInputOf())).toMatchObject({ event: { data: { n: '-' } } })
})

test('data that is not JSON does not go on: nothing in it could be redacted', async () => {
  const stage = await opened(redact, { mask: ['data.n'] })
  const bytes = { data: Uint8Array.of(1), datacontenttype: 'application/octet-stream' }
  expect(stage.process(stageInputOf(bytes))).toMatchObject({ outcome: 'reject' })
})

test('a path that is none, or nothing to do, is a problem of the configuration', () => {
  const { options } = redact.declaration
  expect(options.safeParse({ mask: ['email'] }).success).toBe(false)
  expect(options.safeParse({ mask: ['data..x'] }).success).toBe(false)
  expect(options.safeParse({}).success).toBe(false)
})
