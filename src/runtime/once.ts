import type { Flight } from './flight.ts'
import type { Lane } from './lane.ts'

/** An attempt of which nobody knows how it ended may be made again. */
export function isRepeatable({ setup }: Lane): boolean {
  return setup.sink?.isRepeatable !== false
}

/** Why a delivery is dead whose attempt may have had its effect, where that must not happen twice. */
export function unknownEnd(why: string): string {
  return `it is not known how the attempt ended, and the sink is not idempotent: ${why}`
}

/** Stores that an attempt of these deliveries begins. */
export async function storeBegin(lane: Lane, flights: readonly Flight[], at: number): Promise<void> {
  for (const flight of flights) {
    flight.begunAt = at
    lane.ends.putRow(flight, at, false)
  }
  await lane.around.settler().stored()
}

/** The process ended while an attempt of this delivery was under way. */
export function endBegun(lane: Lane, flight: Flight, begunAt: number): void {
  const reason = unknownEnd('the process ended during it')
  flight.remember({ at: begunAt, durationMs: 0, step: 'sink', outcome: 'reject', reason })
  lane.inMemory += 1
  lane.ledger.countAttempts(1, 0)
  lane.ends.die(flight, reason)
}
