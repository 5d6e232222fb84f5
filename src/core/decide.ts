import type { Event, EventInput } from './event.ts'

/** An event as a decision answers it: who says it, under which id and of which stream is added when it is appended. */
export type DecidedEvent = Pick<EventInput, 'type' | 'data' | 'time' | 'meta'>

/** The same event as the log has it, told apart by its type. */
export type StoredEvent<E extends DecidedEvent> = E extends { readonly type: infer Type; readonly data?: infer Data }
  ? Event<Data> & { readonly type: Type }
  : never

/** What the ids of the events of one command begin with: no two pairs of stream and command have the same. */
export function commandPrefix(stream: string, command: string): string {
  return `${encodeURIComponent(stream)}/${encodeURIComponent(command)}/`
}
