import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { nodePlatform } from './platform.ts'

describe('timers', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const longest = 2 ** 31 - 1

  // G19
  test('a delay beyond 2^31 - 1 ms fires at its time and not before', () => {
    const task = vi.fn()
    nodePlatform.after(3 * longest + 5_000, task)
    vi.advanceTimersByTime(3 * longest + 4_999)
    expect(task).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(task).toHaveBeenCalledTimes(1)
  })

  test('a cancelled timer never fires, also after it was armed again', () => {
    const task = vi.fn()
    const timer = nodePlatform.after(longest + 1_000, task)
    vi.advanceTimersByTime(longest + 1)
    timer.cancel()
    vi.advanceTimersByTime(2_000)
    expect(task).not.toHaveBeenCalled()
  })
})

test('a waiting timer does not keep the process alive', () => {
  const before = process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length
  const timer = nodePlatform.after(60_000, () => undefined)
  expect(process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length).toBe(before)
  timer.cancel()
})

test('a soon task runs after the promises that are ready', async () => {
  const order: string[] = []
  const done = new Promise<void>((resolve) => {
    nodePlatform.soon(() => {
      order.push('soon')
      resolve()
    })
  })
  await Promise.resolve()
  order.push('promise')
  await done
  expect(order).toEqual(['promise', 'soon'])
})

test('ids differ, and a digest is the SHA-256 in base64url without padding', () => {
  expect(new Set(Array.from({ length: 1000 }, () => nodePlatform.id())).size).toBe(1000)
  expect(nodePlatform.digest('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0')
})
