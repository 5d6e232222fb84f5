import type { DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../../core/event.ts'
import { wordsOf } from './run.ts'
import type { Hash128 } from './sip-hash.ts'

/** Visits the hashes that were logged after a sequence, in order; each in the same buffer, as there may be a million. */
export function visitLog(
  database: DatabaseSync,
  after: Sequence,
  visit: (hash: Hash128, sequence: Sequence) => void,
): void {
  const hash: Hash128 = new Uint32Array(4)
  const rows = database.prepare('SELECT first, hashes FROM dedup_log WHERE first > ? ORDER BY first').iterate(after)
  for (const row of rows) {
    const { first, hashes } = row as { first: number; hashes: Uint8Array }
    const words = wordsOf(hashes)
    for (let at = 0; at < words.length; at += 4) {
      for (let word = 0; word < 4; word++) hash[word] = words[at + word] as number
      visit(hash, first + at / 4)
    }
  }
}
