import { Event } from './event.ts'

/** The same event as part of a replay: every wire carries the replay's id as the extension `replayid`. */
export function markReplayed(event: Event, replayid: string): Event {
  return new Event({ ...event.record, replayid })
}
