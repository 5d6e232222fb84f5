import assert from 'node:assert/strict'
import type { Store } from '../../plugin/store.ts'
import { deadRow, fill, historyRow, ledgerState, own, rejectsWith, row, type StoreCase, same } from './case.ts'

/** Everything that hangs on a ledger, told apart by a number. */
async function filled(store: Store, name: string, n: number): Promise<number> {
  const owned = await own(store, name)
  await owned.change({
    ledger: ledgerState({ examined: n, foldVersion: String(n) }),
    put: [row(n)],
    bury: [deadRow(n + 1)],
    hold: [{ key: 'k', sequences: [n + 2, n + 3] }],
    kept: [{ stage: 'count', key: `only-${n}`, value: String(n), dueAt: n }],
    history: [historyRow(n, n + 5)],
  })
  return owned.epoch
}

/** Compares everything that hangs on a ledger with what `filled` left. */
async function holds(store: Store, name: string, n: number): Promise<void> {
  const record = (await store.ledgers()).find(({ subscription }) => subscription === name)
  assert.ok(record !== undefined)
  const { examined, foldVersion, openRows, deadRows, lowestRow } = record
  same({ examined, foldVersion, openRows, deadRows, lowestRow }, at(n))
  const sequences = (rows: readonly { readonly sequence: number }[]) => rows.map(({ sequence }) => sequence)
  same(sequences(await store.rows(name, { limit: 10 })), [n])
  same(await store.nextDue(name), 1000)
  same(sequences(await store.dead(name, { limit: 10 })), [n + 1])
  same(await store.held(name), [{ key: 'k', sequences: [n + 2, n + 3] }])
  const kept = [{ stage: 'count', key: `only-${n}`, value: String(n), dueAt: n }]
  same(await store.kept(name, { stage: 'count', limit: 10 }), kept)
  same(await store.kept(name, { stage: 'count', keys: [`only-${n}`, 'unknown'] }), kept)
  same(await store.kept(name, { dueBefore: 1000, limit: 10 }), kept)
  same((await store.history(name, { limit: 10 })).rows, [historyRow(n, n + 5)])
  same((await store.history(name, { sequence: n + 3, limit: 10 })).rows, [historyRow(n, n + 5)])
}

const at = (n: number) => ({ examined: n, foldVersion: String(n), openRows: 3, deadRows: 1, lowestRow: n })
const names = async (store: Store) => (await store.ledgers()).map(({ subscription }) => subscription).sort()

/** A ledger that takes the name of another, with all that hangs on it. */
export const replacingCases: readonly StoreCase[] = [
  {
    promise: 'a ledger that replaces another brings all that hangs on it, and nothing of the other is left',
    ids: ['S3-14', 'G9'],
    async run({ open }) {
      const store = await open()
      await fill(store, 200)
      await filled(store, 'crm', 1)
      await filled(store, 'crm/rebuild', 100)
      await filled(store, 'other', 50)
      const record = await store.replaceLedger('crm', 'crm/rebuild', 'the case')
      same({ name: record.subscription, owner: record.owner }, { name: 'crm', owner: 'the case' })
      const { examined, foldVersion, openRows, deadRows, lowestRow } = record
      same({ examined, foldVersion, openRows, deadRows, lowestRow }, at(100))
      assert.deepEqual(await names(store), ['crm', 'other'])
      await holds(store, 'crm', 100)
      await holds(store, 'other', 50)
      same(await store.kept('crm/rebuild', { stage: 'count', limit: 10 }), [])
      same(await store.keptStages('crm/rebuild'), [])
    },
  },
  {
    promise: 'after a replacement only who replaced may write, and what it writes is of the new ledger',
    ids: ['G21'],
    async run({ open }) {
      const store = await open()
      await fill(store, 200)
      const old = await filled(store, 'crm', 1)
      const shadow = await filled(store, 'crm/rebuild', 100)
      const { epoch } = await store.replaceLedger('crm', 'crm/rebuild', 'the case')
      const write = async (subscription: string, epochOf: number, value: string) => {
        const kept = [{ stage: 'count', key: 'new', value }]
        const [result] = await store.commit([{ ledgers: [{ subscription, partition: 0, epoch: epochOf, kept }] }])
        return result?.kind
      }
      assert.equal(await write('crm', old, 'of the old owner'), 'refused')
      assert.equal(await write('crm', shadow, 'of the old owner'), 'refused')
      assert.equal(await write('crm/rebuild', shadow, 'of the old owner'), 'refused')
      assert.equal(await write('crm', epoch, '7'), 'ok')
      same(await store.kept('crm', { stage: 'count', keys: ['new'] }), [{ stage: 'count', key: 'new', value: '7' }])
      await rejectsWith('state-conflict', store.mark('crm/rebuild', 0, shadow, { upTo: 1 }))
    },
  },
  {
    promise: 'a ledger can be replaced again and again, and be dropped and made anew',
    ids: ['S3-14'],
    async run({ open }) {
      const store = await open()
      await fill(store, 200)
      await filled(store, 'crm', 1)
      for (const n of [20, 40, 60]) {
        await filled(store, 'crm/rebuild', n)
        await holds(store, 'crm/rebuild', n)
        await store.replaceLedger('crm', 'crm/rebuild', 'the case')
        await holds(store, 'crm', n)
      }
      await filled(store, 'crm/rebuild', 80)
      await store.dropLedger('crm')
      assert.deepEqual(await names(store), ['crm/rebuild'])
      await holds(store, 'crm/rebuild', 80)
      same(await store.kept('crm', { stage: 'count', limit: 10 }), [])
      await filled(store, 'crm', 1)
      await holds(store, 'crm', 1)
      await holds(store, 'crm/rebuild', 80)
    },
  },
  {
    promise: 'a ledger may take a name that has none; one that is not there replaces nothing',
    ids: [],
    async run({ open }) {
      const store = await open()
      await fill(store, 200)
      await filled(store, 'crm/rebuild', 100)
      await store.replaceLedger('crm', 'crm/rebuild', 'the case')
      await holds(store, 'crm', 100)
      await rejectsWith('state-conflict', store.replaceLedger('crm', 'unknown', 'the case'))
      await holds(store, 'crm', 100)
    },
  },
  {
    promise: 'a replacement survives the store being opened again, and the copy of a backup has it, too',
    ids: ['S1-30', 'S3-14'],
    needs: ['persistent'],
    async run({ open, reopen, openCopy }) {
      const store = await open()
      await fill(store, 200)
      await filled(store, 'crm', 1)
      await filled(store, 'crm/rebuild', 20)
      await store.replaceLedger('crm', 'crm/rebuild', 'the case')
      const again = await reopen(store)
      await holds(again, 'crm', 20)
      await filled(again, 'crm/rebuild', 100)
      await holds(again, 'crm', 20)
      await again.replaceLedger('crm', 'crm/rebuild', 'the case')
      const third = await reopen(again)
      await holds(third, 'crm', 100)
      assert.deepEqual(await names(third), ['crm'])
      assert.equal((await third.verify()).ok, true)
      await holds(await openCopy(third), 'crm', 100)
    },
  },
]
