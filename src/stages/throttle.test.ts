import { expect, test } from 'vitest'
import { Event } from '../core/event.ts'
import type { Stage, StageResult } from '../plugin/stage.ts'
import { stageInputOf } from '../testing/stage-cases.ts'
import { opened, platformAt } from './stages.test-support.ts'
import { throttle } from './throttle.ts'

/** How long the event with this sequence is to wait, in milliseconds. */
function waitOf(stage: Stage, sequence: number, subject = 'a'): number {
  const { record } = stageInputOf().event
  const event = new Event({ ...record, sequence, subject })
  const result = stage.process(stageInputOf({}, { event })) as StageResult | undefined
  if (result === undefined) return 0
  expect(result).toMatchObject({ outcome: 'retry', isWait: true })
  return Number.parseInt(result.delay!, 10)
}

test('each event that comes too early has a turn of its own, which it keeps', async () => {
  const { time, platform } = platformAt(1_000_000)
  const stage = await opened(throttle, { rate: '10/s' }, { platform })
  expect([1, 2, 3].map((sequence) => waitOf(stage, sequence))).toEqual([0, 100, 200])
  time.now += 100
  expect([waitOf(stage, 3), waitOf(stage, 2), waitOf(stage, 4)]).toEqual([100, 0, 200])
  time.now += 10_000
  expect([waitOf(stage, 3), waitOf(stage, 4), waitOf(stage, 5), waitOf(stage, 6)]).toEqual([0, 0, 0, 100])
})

test('with a key each value has a rate of its own; a burst may come at once', async () => {
  const { platform } = platformAt(1_000_000)
  const stage = await opened(throttle, { rate: '1/s', by: 'event.subject', burst: 2 }, { platform })
  expect([1, 2, 3].map((sequence) => waitOf(stage, sequence, 'a'))).toEqual([0, 0, 1000])
  expect([4, 5, 6].map((sequence) => waitOf(stage, sequence, 'b'))).toEqual([0, 0, 1000])
})
