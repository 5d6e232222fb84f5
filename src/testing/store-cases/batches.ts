import assert from 'node:assert/strict'
import type { BatchRow, EndedRow, OfferedRow } from '../../core/ledger-state.ts'
import type { Store } from '../../plugin/store.ts'
import { commitOne, event, ledgerState, own, type StoreCase, same } from './case.ts'

function offered(batch: string, more: Partial<OfferedRow> = {}): OfferedRow {
  return {
    kind: 'offered',
    batch,
    state: 'leased',
    proof: 'a-digest',
    deadline: 1_790_000_000_123,
    sequences: [3, 4, 5, 900, 2 ** 40],
    counts: [1, 1, 1, 7, 2],
    isConfirmed: false,
    ...more,
  }
}

const ended: EndedRow = {
  kind: 'ended',
  batch: 'ended-4-1',
  epoch: 4,
  since: 1000,
  until: 2000,
  runs: [
    [1, 30, 'confirmed'],
    [31, 1, 'again'],
  ],
}

async function batchesOf(store: Store, subscription = 'crm'): Promise<readonly BatchRow[]> {
  return [...(await store.batches(subscription))].sort((a, b) => (a.batch < b.batch ? -1 : 1))
}

/** Deliveries that were offered to pull clients together. */
export const batchCases: readonly StoreCase[] = [
  {
    promise: 'a batch comes back with everything it was given',
    ids: ['G23'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const loose = offered('4-2', { state: 'loose', sequences: [], counts: [], isConfirmed: true })
      await crm.change({ batches: [offered('4-1'), loose, ended] })
      same(await batchesOf(store), [offered('4-1'), loose, ended])
    },
  },
  {
    promise: 'a batch put again replaces the one before, and one that has ended is gone',
    ids: ['G23'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({ batches: [offered('4-1'), offered('4-2')] })
      const rest = offered('4-1', { sequences: [4], counts: [3] })
      await crm.change({ batches: [rest], endBatches: ['4-2', 'unknown'] })
      same(await batchesOf(store), [rest])
    },
  },
  {
    promise: 'a batch of ten thousand comes back whole',
    ids: ['S0-28'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const sequences = Array.from({ length: 10_000 }, (_, index) => 5 + index * 3)
      const many = offered('4-1', { sequences, counts: sequences.map((_, index) => (index % 9 === 0 ? 2 : 1)) })
      await crm.change({ batches: [many] })
      same(await batchesOf(store), [many])
    },
  },
  {
    promise: 'a batch and what it settles are one commit, and a former owner changes neither',
    ids: ['G23', 'G21'],
    async run({ open }) {
      const store = await open()
      const before = await own(store)
      await before.change({ batches: [offered('4-1')], ledger: ledgerState({ pending: [3, 4] }) })
      const now = await own(store)
      const late = await before.change({ endBatches: ['4-1'], ledger: ledgerState() })
      assert.equal(late.kind, 'refused')
      same(await batchesOf(store), [offered('4-1')])
      await now.change({ endBatches: ['4-1'], ledger: ledgerState() })
      same(await batchesOf(store), [])
      same((await store.ledgers())[0]!.pending, [])
    },
  },
  {
    promise: 'batches are no open rows of their own: what they hold is counted where it is',
    ids: ['G14', 'G17'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const pending = Array.from({ length: 200 }, (_, index) => 3 + index * (1 + (index % 2)))
        .sort((a, b) => a - b)
        .filter((sequence, index, all) => sequence !== all[index - 1])
      await crm.change({ batches: [offered('4-1')], ledger: ledgerState({ pending }) })
      const [ledger] = await store.ledgers()
      same([ledger!.openRows, ledger!.lowestRow, ledger!.pending], [0, undefined, pending])
    },
  },
  {
    promise: 'a subscription sees its own batches only, and a dropped one leaves none',
    ids: ['G18'],
    async run({ open }) {
      const store = await open()
      const [crm, mail] = [await own(store, 'crm'), await own(store, 'mail')]
      await crm.change({ batches: [offered('4-1')] })
      await mail.change({ batches: [offered('4-1', { state: 'lapsed' })] })
      same(await batchesOf(store, 'mail'), [offered('4-1', { state: 'lapsed' })])
      same(await batchesOf(store, 'nobody'), [])
      await store.dropLedger('crm')
      await own(store, 'crm')
      same(await batchesOf(store), [])
    },
  },
  {
    promise: 'batches survive closing and opening',
    ids: ['G23', 'K10'],
    needs: ['persistent'],
    async run({ open, reopen }) {
      const store = await open()
      const { epoch } = await own(store)
      const pending = Array.from({ length: 50 }, (_, index) => index + 1)
      await commitOne(store, {
        events: [event(1)],
        ledgers: [
          {
            subscription: 'crm',
            partition: 0,
            epoch,
            batches: [offered('4-1'), ended],
            ledger: ledgerState({ pending }),
          },
        ],
      })
      const again = await reopen(store)
      same(await batchesOf(again), [offered('4-1'), ended])
      same((await again.ledgers())[0]!.pending, pending)
    },
  },
]
