import { expect, test } from 'vitest'
import { stageInputOf } from '../testing/stage-cases.ts'
import { delay } from './delay.ts'
import { opened, platformAt } from './stages.test-support.ts'

const appendedAt = 1_767_225_600_000

test('an event waits for its time since it was stored, without a counted attempt, and then goes on', async () => {
  const { time, platform } = platformAt(appendedAt + 1000)
  const stage = await opened(delay, { for: '1m' }, { platform })
  expect(stage.process(stageInputOf())).toMatchObject({ outcome: 'retry', delay: '59000ms', isWait: true })
  time.now = appendedAt + 60_000
  expect(stage.process(stageInputOf())).toBeUndefined()
})

test('until is a time in the event; null is at once, and what is no time is rejected', async () => {
  const { platform } = platformAt(appendedAt)
  const stage = await opened(delay, { until: 'data.at' }, { platform })
  expect(stage.process(stageInputOf({ data: '{"at":"2026-01-01T00:00:05Z"}' }))).toMatchObject({ delay: '5000ms' })
  expect(stage.process(stageInputOf({ data: '{"at":null}' }))).toBeUndefined()
  for (const at of ['soon', '5', '2026-01-01', '2026-01-01T00:00:05', '2026-02-30T00:00:00Z'])
    expect(stage.process(stageInputOf({ data: JSON.stringify({ at }) }))).toMatchObject({ outcome: 'reject' })
  expect(stage.process(stageInputOf())).toMatchObject({ outcome: 'reject' })
})

test('either for or until is needed, not both', () => {
  expect(delay.declaration.options.safeParse({}).success).toBe(false)
  expect(delay.declaration.options.safeParse({ for: '1s', until: 'data.at' }).success).toBe(false)
})
