import { describe, expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { adminLogOf } from './admin-log.ts'

const at = '2026-01-31T12:00:00.000Z'
const open = async (): Promise<Store> => memory().declaration.open({}, { directory: '.', platform: nodePlatform })
const entry = (actor: string) => ({ actor, action: 'subscription.paused', subscription: 'crm' }) as const
/** The same store to somebody who has not seen it yet, as after a restart. */
const again = (store: Store): Store => ({ ...store, state: store.state })

describe('the admin log', () => {
  test('gives each entry the next number, also to those that come at once and after a restart', async () => {
    const store = await open()
    const numbers = await Promise.all(
      Array.from({ length: 250 }, (_, i) => adminLogOf(store).append(entry(`a${i}`), at)),
    )
    expect(numbers).toEqual(Array.from({ length: 250 }, (_, i) => i + 1))
    expect(await adminLogOf(again(store)).append(entry('later'), at)).toBe(251)
  })

  test('is read from the newest on, page by page, and nothing is left out', async () => {
    const store = await open()
    const log = adminLogOf(store)
    expect(await log.list(10)).toEqual([])
    for (let i = 1; i <= 205; i++) await log.append(entry(`a${i}`), at)
    const seen: number[] = []
    for (let after: number | undefined; ; after = seen.at(-1)) {
      const page = await adminLogOf(again(store)).list(30, after)
      seen.push(...page.map(({ number }) => number))
      if (page.length < 30) break
    }
    expect(seen).toEqual(Array.from({ length: 205 }, (_, i) => 205 - i))
  })

  // SEC-56
  test('has what was begun when the process died, once, and nothing of what was refused', async () => {
    const store = await open()
    const log = adminLogOf(store)
    await log.begin('one', entry('done'), at)
    await log.end('one', { ...entry('done'), facts: { n: 1 } }, at)
    await log.begin('two', entry('refused'), at)
    await log.forget('two')
    await log.begin('three', entry('written'), at)
    await log.append(entry('written'), at)
    await log.begin('four', entry('cut-off'), at)
    for (let start = 0; start < 2; start++) await adminLogOf(again(store)).recover()
    const found = await adminLogOf(again(store)).list(10)
    expect(found.map(({ actor }) => actor)).toEqual(['cut-off', 'written', 'done'])
    expect(found[0]).toMatchObject({ at, facts: { end: expect.stringMatching(/^unknown/) } })
  })

  test('goes on with its numbers when a crash left the note of the block behind', async () => {
    for (const count of [99, 100, 101]) {
      const store = await open()
      for (let i = 1; i <= count; i++) await adminLogOf(store).append(entry('a'), at)
      await store.state.delete('millrace:/admin-log', 'block')
      expect(await adminLogOf(again(store)).append(entry('b'), at)).toBe(count + 1)
    }
  })
})
