import { expect, test } from 'vitest'
import { createVirtualPlatform } from '../../testing/virtual-platform.ts'
import { callStep } from './call.ts'
import { StepRejected } from './steps.ts'

function world() {
  const outer = new AbortController()
  const state = { isStopping: false }
  const platform = createVirtualPlatform()
  const settings = { platform, timeoutMs: 1000, outer: outer.signal, isStopping: () => state.isStopping }
  return { outer, state, platform, settings }
}
const never = () => new Promise(() => undefined)

test('an answer is a result as JSON, what is thrown a failed attempt, and a rejection says so', async () => {
  const { settings } = world()
  expect(await callStep(() => ({ at: new Date(0), none: undefined }), settings)).toEqual({
    kind: 'done',
    result: { at: '1970-01-01T00:00:00.000Z' },
  })
  expect(await callStep(async () => undefined, settings)).toEqual({ kind: 'done', result: null })
  const throwing = (error: unknown) => () => {
    throw error
  }
  expect(await callStep(throwing(new Error('down\nnow')), settings)).toEqual({ kind: 'failed', error: 'down now' })
  expect(await callStep(throwing('x'.repeat(9999)), settings)).toEqual({ kind: 'failed', error: 'x'.repeat(500) })
  expect(await callStep(throwing(new StepRejected('no')), settings)).toEqual({ kind: 'rejected', error: 'no' })
  expect(await callStep(() => 'x'.repeat(300_000), settings)).toMatchObject({
    error: 'its result is too large: 300002 characters, 262144 at most',
  })
})

test('what comes after the timeout changes nothing', async () => {
  const { settings, platform } = world()
  let fail: (error: Error) => void = () => undefined
  const answer = callStep(() => new Promise((_, reject) => (fail = reject)), settings)
  await platform.advance(1000)
  expect(await answer).toEqual({ kind: 'failed', error: 'timed out after 1s' })
  fail(new Error('late'))
  await platform.advance(1)
})

test('the end of the call by the engine is a timeout, unless the pipeline stops: that is no answer', async () => {
  const timed = world()
  const answer = callStep(never, timed.settings)
  timed.outer.abort(new Error('late'))
  expect(await answer).toMatchObject({ kind: 'failed' })
  const stopped = world()
  stopped.state.isStopping = true
  const signals: AbortSignal[] = []
  const cut = callStep((signal) => {
    signals.push(signal)
    return never()
  }, stopped.settings)
  stopped.outer.abort(new Error('the pipeline is stopping'))
  await expect(cut).rejects.toThrow('the pipeline is stopping')
  expect(signals[0]!.aborted).toBe(true)
  await expect(callStep(() => expect.unreachable(), stopped.settings)).rejects.toThrow('the pipeline is stopping')
})
