import { expect, test } from 'vitest'
import { createTurns } from './turns.ts'

test('work of one name runs one after the other, also after a failure; that of other names runs beside it', async () => {
  const turns = createTurns()
  const log: string[] = []
  const work = (name: string, fails = false) =>
    turns.take(name[0]!, async () => {
      log.push(`${name} begins`)
      await Promise.resolve()
      log.push(`${name} ends`)
      if (fails) throw new Error(name)
      return name
    })
  const answers = await Promise.allSettled([work('a1', true), work('a2'), work('b1')])
  expect(answers).toMatchObject([{ status: 'rejected' }, { value: 'a2' }, { value: 'b1' }])
  expect(log).toEqual(['a1 begins', 'b1 begins', 'a1 ends', 'b1 ends', 'a2 begins', 'a2 ends'])
})
