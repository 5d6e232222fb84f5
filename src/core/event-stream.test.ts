import { expect, test } from 'vitest'
import { eventFrame, gapFrame, heartbeatFrame, infoFrame, type LogBounds, resumeAt } from './event-stream.ts'

const log: LogBounds = { incarnation: 'a1-b2', oldest: 11, head: 20 }
const fromOldest = { position: 10 }

test('without a position a stream begins after the newest event', () => {
  expect(resumeAt(undefined, log)).toEqual({ position: 20 })
  expect(resumeAt('', log)).toEqual({ position: 20 })
})

// G24
test('a position that is kept is gone on from exactly, with and without incarnation', () => {
  for (const sequence of [10, 11, 15, 20]) {
    expect(resumeAt(`a1-b2-${sequence}`, log)).toEqual({ position: sequence })
    expect(resumeAt(String(sequence), log)).toEqual({ position: sequence })
  }
})

test('a bare 0 is the oldest kept, and no gap', () => {
  expect(resumeAt('0', log)).toEqual(fromOldest)
})

// G24
test('what retention removed is a gap, also for one that saw nothing yet', () => {
  for (const [after, from] of [
    ['a1-b2-9', 9],
    ['5', 5],
    ['a1-b2-0', 0],
  ] as const)
    expect(resumeAt(after, log)).toEqual({ ...fromOldest, gap: { reason: 'retention', from, oldest: 11 } })
})

test('a log of which nothing is kept has no gap for one that stands at its end', () => {
  const empty = { ...log, oldest: 21 }
  expect(resumeAt('20', empty)).toEqual({ position: 20 })
  expect(resumeAt('19', empty)).toMatchObject({ position: 20, gap: { oldest: 21 } })
})

// G30
test('a position of another log, or beyond the end of this one, is a gap', () => {
  expect(resumeAt('other-15', log)).toEqual({ ...fromOldest, gap: { reason: 'incarnation', from: 15, oldest: 11 } })
  expect(resumeAt('a1-b2-21', log)).toEqual({ ...fromOldest, gap: { reason: 'ahead', from: 21, oldest: 11 } })
  expect(resumeAt('21', log)).toMatchObject({ gap: { reason: 'ahead' } })
  for (const odd of ['x', '-1', '1.5', 'a1-b2-', '99999999999999999', '1\n', ' 1', 'é-1'])
    expect(resumeAt(odd, log), odd).toEqual({ ...fromOldest, gap: { reason: 'incarnation', from: 0, oldest: 11 } })
})

test('a frame has its fields on a line each and ends with an empty one', () => {
  expect(eventFrame('a-1', 'order.placed', '{"x":1}')).toBe('id: a-1\nevent: order.placed\ndata: {"x":1}\n\n')
  expect(heartbeatFrame('a-7')).toBe('id: a-7\nevent: heartbeat\ndata: ping\n\n')
  expect(gapFrame('a-10', { reason: 'ahead', from: 30, oldest: 11 })).toBe(
    'id: a-10\nevent: gap\ndata: {"reason":"ahead","from":30,"oldest":11}\n\n',
  )
  expect(infoFrame('a-1')).toBe('id: a-1\nevent: info\ndata: connected\n\n')
  expect(infoFrame(undefined)).toBe('event: info\ndata: connected\n\n')
})

// SEC-58
test('line breaks in data become lines of data, and in id and type they are no line', () => {
  expect(eventFrame('a\nid: 9', 'x\r\ndata: forged', '{\r\n"a":1,\r"b":\n2}')).toBe(
    'id: a id: 9\nevent: x data: forged\ndata: {\ndata: "a":1,\ndata: "b":\ndata: 2}\n\n',
  )
})
