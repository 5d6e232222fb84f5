import type { DatabaseSync } from 'node:sqlite'
import { AppError } from '../../core/errors.ts'
import { scalar } from './database.ts'
import { readLedgers } from './ledger-reads.ts'
import { createPlaces } from './places.ts'
import type { WireChange, WireLedger } from './protocol.ts'
import { dropSlice } from './prune.ts'

/** Everything that changes in ledgers, within a transaction that the caller owns. */
export interface LedgerWrites {
  /** Why a change is refused; undefined when its epoch is the newest. */
  staleness(change: WireChange): string | undefined
  apply(change: WireChange): void
  /** Refuses all who ever owned the subscription, also when it is made anew, and removes a slice of it; true when nothing is left. */
  drop(subscription: string): boolean
  setMark(subscription: string, partition: number, epoch: number, mark: string | null): void
  /** Gives one ledger the name of another, which is forgotten; its rows are left over. */
  replace(subscription: string, by: string, owner: string): WireLedger
  /** Removes a slice of rows that are left over; true when there are more. */
  clearLeavings(): boolean
  hasLeavings(): boolean
  open(wanted: readonly { subscription: string; partition: number; initial: string }[], owner: string): WireLedger[]
}

const keyOf = (subscription: string, partition: number): string => `${partition} ${subscription}`

/** @param generation Grows with every opening: makes history rows unique without looking. */
export function createLedgerWrites(database: DatabaseSync, generation: number): LedgerWrites {
  const prepare = (sql: string) => database.prepare(sql)
  const setMeta = prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
  const insertLedger = prepare(
    `INSERT INTO ledgers (subscription, partition, epoch, owner, body, place) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (subscription, partition) DO UPDATE SET epoch = epoch + 1, owner = excluded.owner`,
  )
  const rowOf = prepare('SELECT epoch, place FROM ledgers WHERE subscription = ? AND partition = ?')
  const rename = prepare('UPDATE ledgers SET subscription = ?, place = ?, epoch = ?, owner = ? WHERE subscription = ?')
  const unledger = prepare('DELETE FROM ledgers WHERE subscription = ?')
  const places = createPlaces(database)
  const setBody = prepare('UPDATE ledgers SET body = ? WHERE subscription = ? AND partition = ?')
  const setMark = prepare('UPDATE ledgers SET mark = ? WHERE subscription = ? AND partition = ?')
  const put = prepare('INSERT OR REPLACE INTO deliveries (subscription, sequence, due, body) VALUES (?, ?, ?, ?)')
  const remove = prepare('DELETE FROM deliveries WHERE subscription = ? AND sequence = ?')
  const bury = prepare('INSERT OR REPLACE INTO dead (subscription, sequence, died, type, body) VALUES (?, ?, ?, ?, ?)')
  const unbury = prepare('DELETE FROM dead WHERE subscription = ? AND sequence = ?')
  const hold = prepare(
    'INSERT OR REPLACE INTO held (subscription, key, lowest, count, sequences) VALUES (?, ?, ?, ?, ?)',
  )
  const release = prepare('DELETE FROM held WHERE subscription = ? AND key = ?')
  const putBatch = prepare('INSERT OR REPLACE INTO batches (subscription, batch, body) VALUES (?, ?, ?)')
  const endBatch = prepare('DELETE FROM batches WHERE subscription = ? AND batch = ?')
  const keep = prepare('INSERT OR REPLACE INTO kept (subscription, stage, key, due, value) VALUES (?, ?, ?, ?, ?)')
  const unkeep = prepare('DELETE FROM kept WHERE subscription = ? AND stage = ? AND key = ?')
  const history = prepare('INSERT INTO history (subscription, last, n, first, at, body) VALUES (?, ?, ?, ?, ?, ?)')
  const widen = prepare('INSERT OR REPLACE INTO history_span (subscription, span) VALUES (?, ?)')
  const spans = new Map<string, number>()
  for (const row of prepare('SELECT subscription, span FROM history_span').iterate())
    spans.set(String(row['subscription']), Number(row['span']))
  const epochs = new Map<string, number>()
  for (const row of prepare('SELECT subscription, partition, epoch FROM ledgers').iterate()) {
    epochs.set(keyOf(String(row['subscription']), Number(row['partition'])), Number(row['epoch']))
  }
  let epochFloor = scalar(database, "SELECT value FROM meta WHERE key = 'epoch-floor'") ?? 0
  let historyCount = generation * 2 ** 31

  const staleness: LedgerWrites['staleness'] = ({ subscription, partition, epoch }) => {
    const current = epochs.get(keyOf(subscription, partition))
    if (current === epoch) return undefined
    return current === undefined
      ? `there is no ledger of "${subscription}" (partition ${partition})`
      : `the ledger of "${subscription}" (partition ${partition}) has epoch ${current}, the write has ${epoch}`
  }

  const addHistory = (subscription: string, rows: readonly (string | number)[]): void => {
    let widest = spans.get(subscription) ?? -1
    for (let at = 0; at < rows.length; at += 4) {
      const [last, first] = [rows[at] as number, rows[at + 1] as number]
      history.run(subscription, last, ++historyCount, first, rows[at + 2] as number, rows[at + 3] as string)
      if (last - first > widest) {
        // Powers of two, so that a slowly growing span is not written each time.
        widest = 2 ** Math.ceil(Math.log2(last - first + 1))
        widen.run(subscription, widest)
        spans.set(subscription, widest)
      }
    }
  }

  const fence = (subscription: string): void => {
    for (const key of [...epochs.keys()]) {
      if (key.slice(key.indexOf(' ') + 1) !== subscription) continue
      epochFloor = Math.max(epochFloor, epochs.get(key) ?? 0)
      epochs.delete(key)
    }
    setMeta.run('epoch-floor', epochFloor)
  }

  return {
    staleness,
    drop(subscription) {
      fence(subscription)
      const place = places.of(subscription)
      if (!dropSlice(database, subscription, place)) return false
      spans.delete(place)
      places.forget(subscription)
      return true
    },
    clearLeavings: () => places.clear(),
    hasLeavings: () => places.hasLeavings,
    replace(subscription, by, owner) {
      const partitions = [...epochs.keys()].filter((key) => key.slice(key.indexOf(' ') + 1) === by)
      if (partitions.length === 0)
        throw new AppError('state-conflict', `replacing the ledger of ${subscription} failed: there is none of ${by}`)
      const place = places.of(by)
      const left = places.of(subscription)
      fence(subscription)
      fence(by)
      epochFloor += 1
      setMeta.run('epoch-floor', epochFloor)
      if (unledger.run(subscription).changes !== 0) places.leave(left)
      spans.delete(left)
      rename.run(subscription, place === subscription ? null : place, epochFloor, owner, by)
      places.forget(by)
      places.set(subscription, place)
      for (const key of partitions) epochs.set(keyOf(subscription, Number(key.split(' ', 1)[0])), epochFloor)
      return readLedgers(database, subscription)[0]!
    },
    apply(change) {
      const { subscription: name, partition } = change
      if (change.ledger !== undefined) setBody.run(change.ledger, name, partition)
      if (change.mark !== undefined) setMark.run(change.mark, name, partition)
      const subscription = places.of(name)
      for (const sequence of change.remove ?? []) remove.run(subscription, sequence)
      for (let rows = change.put ?? [], at = 0; at < rows.length; at += 3) {
        put.run(subscription, rows[at] as number, rows[at + 1] as number, rows[at + 2] as string)
      }
      for (const sequence of change.unbury ?? []) unbury.run(subscription, sequence)
      for (let rows = change.bury ?? [], at = 0; at < rows.length; at += 4) {
        bury.run(
          subscription,
          rows[at] as number,
          rows[at + 1] as number,
          rows[at + 2] as string,
          rows[at + 3] as string,
        )
      }
      for (let rows = change.hold ?? [], at = 0; at < rows.length; at += 4) {
        if (rows[at + 2] === 0) release.run(subscription, rows[at] as string)
        else
          hold.run(
            subscription,
            rows[at] as string,
            rows[at + 1] as number,
            rows[at + 2] as number,
            rows[at + 3] as string,
          )
      }
      for (const batch of change.endBatches ?? []) endBatch.run(subscription, batch)
      for (let rows = change.batches ?? [], at = 0; at < rows.length; at += 2)
        putBatch.run(subscription, rows[at]!, rows[at + 1]!)
      for (let rows = change.kept ?? [], at = 0; at < rows.length; at += 4) {
        const [stage, key, due, value] = [rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!]
        if (value === null) unkeep.run(subscription, stage, key)
        else keep.run(subscription, stage, key, due, value)
      }
      if (change.history !== undefined) addHistory(subscription, change.history)
    },
    setMark(subscription, partition, epoch, mark) {
      const stale = staleness({ subscription, partition, epoch })
      if (stale !== undefined)
        throw new AppError(
          'state-conflict',
          `writing a suspect mark was refused: ${stale}. Another owner took the subscription over.`,
        )
      setMark.run(mark, subscription, partition)
    },
    open(wanted, owner) {
      for (const { subscription, partition, initial } of wanted) {
        const free = places.free(subscription)
        const given = free === subscription ? null : free
        insertLedger.run(subscription, partition, epochFloor + 1, owner, initial, given)
        const row = rowOf.get(subscription, partition) as { epoch: number; place: string | null }
        epochs.set(keyOf(subscription, partition), row.epoch)
        places.set(subscription, row.place ?? subscription)
      }
      // One that comes to thousands of others does not read them all.
      const [one] = wanted
      const rows = readLedgers(database, wanted.length === 1 ? one?.subscription : undefined)
      const stored = new Map(rows.map((row) => [keyOf(row.subscription, row.partition), row]))
      return wanted.map(({ subscription, partition }) => stored.get(keyOf(subscription, partition)) as WireLedger)
    },
  }
}
