import { expect, test } from 'vitest'
import { compilePatterns } from './match.ts'
import { streamNameProblem, streamOf, streamProblem } from './stream.ts'

const isStreamed = compilePatterns(['account.*'])
const opened = { source: 'bank', id: '1', type: 'account.opened', subject: 'account-7' }

// S3-14
test('an event of a declared type belongs to the stream that its subject names', () => {
  expect(streamOf(opened, isStreamed)).toBe('account-7')
  expect(streamOf({ ...opened, type: 'order.placed' }, isStreamed)).toBeUndefined()
})

test('an event of a declared type without a subject is refused, and any other is not', () => {
  expect(streamProblem(opened, isStreamed)).toBeUndefined()
  expect(streamProblem({ ...opened, subject: undefined }, isStreamed)).toBe(
    'subject is missing: events of type account.opened belong to a stream, and the subject names it',
  )
  expect(streamProblem({ ...opened, type: 'order.placed', subject: undefined }, isStreamed)).toBeUndefined()
})

test('the name of a stream is what a subject may be', () => {
  expect(streamNameProblem('account-7')).toBeUndefined()
  expect(streamNameProblem('')).toBe('is empty')
  expect(streamNameProblem('x'.repeat(513))).toBe('is longer than 512 characters')
})
