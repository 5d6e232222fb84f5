import type { Platform } from '../core/platform.ts'

/** What ingest knows of those who read the log. */
export interface IngestDispatch {
  /** What keeps up is about to read from the disk what it could have had from memory. */
  readonly isBehind: boolean
  /** The log has grown. */
  wake(): void
}

/**
 * Turns between two pieces of a batch, at most, while dispatch is behind. What it does not reach in time has left the newest
 * events and is read from the disk, which costs publishing and delivering alike: with busy stages a third of the rate.
 */
const turnsForDispatch = 16

/** Lets other work of the process go on in the middle of a large batch. */
export async function otherWork(platform: Platform, dispatch: IngestDispatch): Promise<void> {
  for (let turns = 0; turns < turnsForDispatch; turns++) {
    await new Promise<void>((resolve) => platform.soon(resolve))
    if (!dispatch.isBehind) return
  }
}
