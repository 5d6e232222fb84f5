import { expect, test } from 'vitest'
import { outcomesProblem } from './outcome.ts'

test('a list with an outcome for each delivery has no problem', () => {
  const full = { outcome: 'retry', reason: 'busy', delayMs: 5, detail: { status: 503, at: null }, position: '7' }
  expect(outcomesProblem([{ outcome: 'ack' }, full], 2)).toBeUndefined()
  expect(outcomesProblem([], 0)).toBeUndefined()
})

test.each<[unknown, string]>([
  ['ack', 'answered string; answer nothing, or a list with one outcome for each delivery'],
  [{ outcome: 'ack' }, 'answered object; answer nothing, or a list'],
  [[], 'answered 0 outcomes for 1 deliveries'],
  [[undefined], 'answered undefined as an outcome'],
  [[null], 'answered null as an outcome'],
  [[{ ontcome: 'ack' }], 'answered outcome undefined; use ack, retry, discard, reject'],
  [[{ outcome: 'maybe' }], 'answered outcome "maybe"; use ack'],
  [[{ outcome: 5n }], 'answered outcome bigint; use ack'],
  [[{ outcome: 'reject', reason: {} }], 'answered a reason that is no text'],
  [[{ outcome: 'ack', detail: { n: 5n } }], 'answered a detail that JSON cannot hold'],
])('a wrong answer of a sink is told: %o', (answer, problem) => {
  expect(outcomesProblem(answer, 1)).toContain(problem)
})
