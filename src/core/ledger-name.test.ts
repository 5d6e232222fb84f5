import { expect, test } from 'vitest'
import { isSubscriptionLedger, rebuildLedger, rebuiltBy } from './ledger-name.ts'
import { replayLedger } from './replay-name.ts'

test('the ledger of a rebuild says whose it is, and is no subscription', () => {
  expect(rebuiltBy(rebuildLedger('crm'))).toBe('crm')
  for (const other of ['crm', replayLedger('crm', 'r1'), '*']) expect(rebuiltBy(other)).toBeUndefined()
  expect(['crm', '*', rebuildLedger('crm'), replayLedger('crm', 'r1')].map(isSubscriptionLedger)).toEqual([
    true,
    true,
    false,
    false,
  ])
})
