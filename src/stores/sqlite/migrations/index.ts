import { initial } from './0001-initial.ts'
import { batches } from './0002-batches.ts'
import { kept } from './0003-kept.ts'
import { places } from './0004-places.ts'
import { streamSequences } from './0005-stream-sequences.ts'

/** One step per version: step n takes a database from `user_version` n to n + 1. Never edited, only appended to. */
export const migrations: readonly string[] = [initial, batches, kept, places, streamSequences]
