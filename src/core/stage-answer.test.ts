import { expect, test } from 'vitest'
import { Event } from './event.ts'
import { answerProblem, dueAnswerProblem } from './stage-answer.ts'

test('an answer of the right shape has no problem, also with a whole event, as it is or spread', () => {
  const event = new Event({ sequence: 1, appendedAt: 0, source: 's', id: '1', type: 'a', data: '{}' })
  for (const answer of [
    { outcome: 'ack' },
    { outcome: 'retry', reason: 'r', delay: '1s', isWait: true, context: {} },
    { outcome: 'ack', derive: [], keep: { value: 1, dueAt: 5 }, wake: [1], event: { data: 1, meta: {} } },
    { outcome: 'ack', event },
    { outcome: 'ack', event: { ...event, data: 5 } },
    { outcome: 'ack', event: { ...event.toJSON(), data: 5 } },
    { outcome: 'ack', derive: null, event: undefined, keep: undefined },
  ])
    expect(answerProblem(answer)).toBeUndefined()
})

test.each([
  [true, "it answered a boolean; answer nothing, or an object such as { outcome: 'ack' }"],
  [[], "it answered a list; answer nothing, or an object such as { outcome: 'ack' }"],
  [{ ontcome: 'ack' }, 'its answer has "ontcome", which does not exist; did you mean outcome?'],
  [{ outcome: 'retry', delayMs: 5 }, 'its answer has "delayMs", which does not exist; did you mean delay?'],
  [{ outcome: 'ack', dervie: [] }, 'its answer has "dervie", which does not exist; did you mean derive?'],
  [{ outcome: 'ack', derive: { type: 'a' } }, 'derive of its answer is an object; it is a list of events, also for'],
  [{ outcome: 'retry', delay: 5 }, 'delay of its answer is a number; it is text'],
  [{ outcome: 'reject', reason: {} }, 'reason of its answer is an object; it is text'],
  [{ outcome: 'ack', derive: [{ type: 'a' }, null] }, 'derived event 1 is null; an event is an object with a type'],
  [{ outcome: 'ack', wake: 5 }, 'wake of its answer is a number; it is a list of sequences'],
  [
    { outcome: 'ack', event: 'a' },
    'event of its answer is a string; it is an object with type, subject, time, data, meta',
  ],
  [{ outcome: 'ack', event: { dta: 1 } }, 'event of its answer has "dta", which does not exist; did you mean data?'],
  [
    { outcome: 'ack', keep: { value: 1, dueat: 5 } },
    '"dueat", which does not exist; did you mean dueAt? (available: dueAt',
  ],
])('%j is told with what was meant', (answer, problem) => {
  expect(answerProblem(answer)).toContain(problem)
})

test.each([
  [undefined, undefined],
  [null, undefined],
  [{ keep: { value: 1 }, derive: [] }, undefined],
  [5, 'onDue answered a number; answer nothing, or { keep, derive }'],
  [{ kep: {} }, 'the answer of onDue has "kep", which does not exist; did you mean keep?'],
  [{ derive: {} }, 'derive of its answer is an object'],
  [{ keep: [] }, 'keep of its answer is a list; it is an object with'],
])('onDue that answered %j is told', (answer, problem) => {
  if (problem === undefined) expect(dueAnswerProblem(answer)).toBeUndefined()
  else expect(dueAnswerProblem(answer)).toContain(problem)
})

test('a key that resembles none is told without a guess', () => {
  expect(answerProblem({ zzzzzzzz: 1 })).toMatch(/^its answer has "zzzzzzzz", which does not exist \(available: /)
})
