import { expect, it } from 'vitest'
import { isReplayLedger, readLedgerName, replayLedger } from './replay-name.ts'

it('the name of a replay’s ledger says its subscription and its id', () => {
  const name = replayLedger('crm', 'r1')
  expect(readLedgerName(name)).toEqual({ subscription: 'crm', replay: 'r1' })
  expect(isReplayLedger(name)).toBe(true)
})

it('the name of any other ledger is that of its subscription', () => {
  for (const name of ['crm', '*', 'replay', 'a.replay-b'])
    expect([readLedgerName(name), isReplayLedger(name)]).toEqual([{ subscription: name }, false])
})
