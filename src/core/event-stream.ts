import type { Sequence } from './event.ts'
import { parsePosition } from './position.ts'

/** Why a client cannot go on exactly where it stood. */
export const gapReasons = ['retention', 'incarnation', 'ahead'] as const

/** What a client of an event stream is told when it misses something, or may. */
export interface Gap {
  /** `retention`: removed meanwhile; `incarnation`: its position is of another log; `ahead`: the log ends before it. */
  readonly reason: (typeof gapReasons)[number]
  /** The sequence it had; what came after it and before `oldest` is not there. */
  readonly from: Sequence
  /** The oldest event that is kept: the stream goes on with it. */
  readonly oldest: Sequence
}

/** Where the log begins and ends. */
export interface LogBounds {
  readonly incarnation: string
  readonly oldest: Sequence
  readonly head: Sequence
}

/**
 * Where the stream of a client begins that holds this position: `<incarnation>-<sequence>`, or a bare sequence (0: the
 * oldest kept); without one, after the newest event. It is sent what comes after `position`.
 */
export function resumeAt(after: string | undefined, log: LogBounds): { position: Sequence; gap?: Gap } {
  const { incarnation, oldest, head } = log
  if (after === undefined || after === '') return { position: head }
  const held = parsePosition(after)
  const restart = (reason: Gap['reason']): { position: Sequence; gap: Gap } => ({
    position: oldest - 1,
    gap: { reason, from: held?.sequence ?? 0, oldest },
  })
  // What cannot be read was not given out by this log.
  if (held === undefined) return restart('incarnation')
  if (held.incarnation === undefined && held.sequence === 0) return { position: oldest - 1 }
  if (held.incarnation !== undefined && held.incarnation !== incarnation) return restart('incarnation')
  if (held.sequence > head) return restart('ahead')
  return held.sequence < oldest - 1 ? restart('retention') : { position: held.sequence }
}

/** An event in the `text/event-stream` format. */
export function eventFrame(id: string, type: string, json: string): string {
  return frame(id, type, json)
}

/** The notice that something is missing; its id is the position from which the stream goes on. */
export function gapFrame(id: string, { reason, from, oldest }: Gap): string {
  return frame(id, 'gap', JSON.stringify({ reason, from, oldest }))
}

/** Says how far a client has come while nothing matches: its id is that position. */
export function heartbeatFrame(id: string): string {
  return frame(id, 'heartbeat', 'ping')
}

/** The first frame of a stream; its id is the position from which the stream goes on. */
export function infoFrame(id: string | undefined): string {
  return id === undefined ? 'event: info\ndata: connected\n\n' : frame(id, 'info', 'connected')
}

const lineBreak = /\r\n|\r|\n/g

function frame(id: string, type: string, data: string): string {
  return `id: ${oneLine(id)}\nevent: ${oneLine(type)}\ndata: ${hasBreak(data) ? data.replaceAll(lineBreak, '\ndata: ') : data}\n\n`
}

function hasBreak(text: string): boolean {
  return text.includes('\n') || text.includes('\r')
}

/** A second line would be a field of its own: nothing a producer writes may make one. */
function oneLine(text: string): string {
  return hasBreak(text) ? text.replaceAll(lineBreak, ' ') : text
}
