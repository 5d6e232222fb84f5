import type { DatabaseSync } from 'node:sqlite'
import { dropRows } from './prune.ts'

/**
 * Where the rows of each ledger are. All but a few are under the ledger's own name; one that took another's name keeps its
 * rows where they are, so that this costs the same however many they are.
 */
export interface Places {
  of(ledger: string): string
  /** A place for a ledger that is new: nobody else's rows are there. */
  free(ledger: string): string
  /** What the table of ledgers says from now on. */
  set(ledger: string, place: string): void
  forget(ledger: string): void
  /** The rows of a place are nobody's any more. */
  leave(place: string): void
  /** Removes a slice of what is left over; true when there is more. The caller owns the transaction. */
  clear(): boolean
  readonly hasLeavings: boolean
}

export function createPlaces(database: DatabaseSync): Places {
  const addLeaving = database.prepare('INSERT OR IGNORE INTO leavings (place) VALUES (?)')
  const removeLeaving = database.prepare('DELETE FROM leavings WHERE place = ?')
  const places = new Map<string, string>()
  for (const row of database.prepare('SELECT subscription, place FROM ledgers WHERE place IS NOT NULL').iterate())
    places.set(String(row['subscription']), String(row['place']))
  const leavings = new Set<string>()
  for (const row of database.prepare('SELECT place FROM leavings').iterate()) leavings.add(String(row['place']))

  return {
    of: (ledger) => places.get(ledger) ?? ledger,
    free(ledger) {
      const taken = new Set([...places.values(), ...leavings])
      let place = ledger
      for (let n = 2; taken.has(place); n++) place = `${ledger}#${n}`
      return place
    },
    set(ledger, place) {
      if (place === ledger) places.delete(ledger)
      else places.set(ledger, place)
    },
    forget: (ledger) => void places.delete(ledger),
    leave(place) {
      addLeaving.run(place)
      leavings.add(place)
    },
    clear() {
      const [place] = leavings
      if (place !== undefined && dropRows(database, place)) {
        removeLeaving.run(place)
        leavings.delete(place)
      }
      return leavings.size > 0
    },
    get hasLeavings() {
      return leavings.size > 0
    },
  }
}
