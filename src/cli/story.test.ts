import { expect, test } from 'vitest'
import { storyText, type WireDelivery } from './story.ts'

const io = { isTty: false, env: {} }
const event = {
  source: 'shop',
  id: '1',
  type: 'order.placed',
  subject: 'order-1',
  time: '2026-03-04T05:06:07.000Z',
  recordedtime: '2026-03-04T05:06:07.089Z',
}
const delivered: WireDelivery = {
  subscription: 'crm',
  state: 'delivered',
  checks: [{ check: 'match order.*', value: 'order.placed', matched: true }],
  attempts: [],
  attemptCount: 1,
  settledAt: '2026-03-04T05:06:08.000Z',
}
const failed = { at: '2026-03-04T05:06:07.100Z', durationMs: 15, step: 'sink', outcome: 'retry' } as const

function linesOf(delivery: WireDelivery): string[] {
  return storyText(io, { sequence: 7, event, deliveries: [delivery] })
    .split('\n')
    .slice(3)
}

test('a story says what the event is and where it is', () => {
  expect(storyText(io, { sequence: 7, event, deliveries: [delivered] })).toBe(
    [
      'Event 7: order.placed about order-1',
      '  1 from shop, recorded 2026-03-04 05:06:07.089 UTC',
      '',
      'crm: delivered at 2026-03-04 05:06:08.000 UTC',
      '  ✓ match order.* matched order.placed',
      '  1 attempt',
    ].join('\n'),
  )
})

test('a filtered event shows which pattern failed on which value, once', () => {
  const checks = [{ check: 'match order.*', value: 'user.left', matched: false }]
  const reason = 'match order.* did not match user.left'
  expect(linesOf({ ...delivered, state: 'filtered', checks, reason, attemptCount: 0, settledAt: undefined })).toEqual([
    'crm: not for this subscription',
    '  ✗ match order.* did not match user.left',
  ])
})

test('each attempt is told with its time, step, outcome and facts, and then what comes next', () => {
  const attempt = { ...failed, reason: 'HTTP 503', detail: { status: 503, durationMs: 15 } }
  const next = 'attempt 3 at 2026-03-04T05:07:00.000Z'
  const attempts = [attempt, { ...attempt, durationMs: 2_500 }]
  const { settledAt: _, ...open } = delivered
  expect(linesOf({ ...open, state: 'waiting', attempts, attemptCount: 2, next })).toEqual([
    'crm: waiting for its next attempt',
    '  ✓ match order.* matched order.placed',
    '  attempt 1: 2026-03-04 05:06:07.100 UTC, sink, 15ms: retry, HTTP 503, status 503',
    '  attempt 2: 2026-03-04 05:06:07.100 UTC, sink, 2.5s: retry, HTTP 503, status 503',
    '  next: attempt 3 at 2026-03-04T05:07:00.000Z',
  ])
})

test('an exit code is said once, and what a program wrote has no line end', () => {
  const attempt = { ...failed, reason: 'exit code 65', detail: { exitCode: 65, stderr: 'no total\n' } }
  const { settledAt: _, ...open } = delivered
  expect(linesOf({ ...open, state: 'waiting', attempts: [attempt], attemptCount: 1 })[2]).toMatch(
    /: retry, exit code 65, stderr no total$/,
  )
})

test('attempts without a record are counted, and those before a redrive are told apart', () => {
  const { settledAt: _, ...open } = delivered
  const waiting = { ...open, state: 'waiting' } as const
  expect(linesOf({ ...waiting, attempts: [failed], attemptCount: 3 }).slice(2)).toEqual([
    '  (2 attempts before without a record: steps that went well, or very many)',
    '  attempt 3: 2026-03-04 05:06:07.100 UTC, sink, 15ms: retry',
  ])
  expect(linesOf({ ...waiting, attempts: [failed, failed], attemptCount: 1 }).slice(2)).toEqual([
    '  before the redrive: 2026-03-04 05:06:07.100 UTC, sink, 15ms: retry',
    '  attempt 1: 2026-03-04 05:06:07.100 UTC, sink, 15ms: retry',
  ])
})

test('the last attempt of what was delivered is the one that went well, although it has no record', () => {
  expect(linesOf({ ...delivered, attempts: [failed], attemptCount: 2 }).slice(2)).toEqual([
    '  attempt 1: 2026-03-04 05:06:07.100 UTC, sink, 15ms: retry',
    '  attempt 2: ack',
  ])
  // A stage before the sink: how many steps went well after it is not known.
  const staged = { ...failed, step: 'enrich' }
  expect(linesOf({ ...delivered, attempts: [staged], attemptCount: 3 }).slice(2)).toEqual([
    '  (2 attempts without a record: steps that went well, or very many)',
    '  an attempt: 2026-03-04 05:06:07.100 UTC, enrich, 15ms: retry',
  ])
})

test('an event that retention removed still has its story', () => {
  expect(storyText(io, { sequence: 7, deliveries: [delivered] })).toMatch(/^Event 7 is no longer in the log: retention/)
})

test('what a plug-in wrote cannot forge a line of the story', () => {
  const [headline, , reason] = linesOf({ ...delivered, state: 'discarded', reason: 'x\nnext: all is well\u001b[2J' })
  expect(headline).toBe('crm: discarded on purpose at 2026-03-04 05:06:08.000 UTC')
  expect(reason).toBe('  because: x\\u000anext: all is well')
})
