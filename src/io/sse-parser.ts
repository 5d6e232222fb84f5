/** An event of an event stream. */
export interface SseMessage {
  /** The field `event`; `message` when there is none. */
  readonly type: string
  readonly data: string
  /** The last event id, which this event or one before it has set; empty when none has. */
  readonly id: string
  /** True when this event has set it. */
  readonly hasOwnId: boolean
}

/** Where a stream stands. */
export interface SsePlace {
  /** The id to go on after: that of the last block that was complete, also of one that had no data. */
  readonly lastId: string
  /** The wait before a new connection that the server asks for. */
  readonly retryMs: number | undefined
  /** Events left out because they were larger than allowed. */
  readonly oversized: number
}

/** Reads an event stream as it comes. */
export interface SseParser {
  readonly place: SsePlace
  /** The events that this chunk completes. */
  push(chunk: Uint8Array): SseMessage[]
}

/**
 * Makes a parser of `text/event-stream` by the HTML standard: UTF-8 with or without a byte order mark, lines that end in
 * CR, LF or both. What is not complete at the end of the stream is no event. An event of more than `maxChars` is left out.
 */
export function createSseParser(maxChars: number, firstId = ''): SseParser {
  const decoder = new TextDecoder('utf-8')
  const lines = createLines(maxChars + 10)
  const blocks = createBlocks(maxChars, firstId)
  return {
    place: blocks.place,
    push(chunk) {
      const found: SseMessage[] = []
      lines.push(decoder.decode(chunk, { stream: true }), (line) => {
        const message = blocks.take(line)
        if (message !== undefined) found.push(message)
      })
      return found
    },
  }
}

/** Cuts text into lines; one that is longer than allowed is not kept, and is undefined. */
function createLines(maxChars: number): { push(text: string, take: (line: string | undefined) => void): void } {
  let rest = ''
  let isTooLong = false
  // A CR at the end of a chunk ended a line; an LF at the beginning of the next belongs to it.
  let endedInCr = false
  return {
    push(text, take) {
      if (text === '') return
      let from = endedInCr && text.startsWith('\n') ? 1 : 0
      endedInCr = text.endsWith('\r')
      const lineEnd = /\r\n|\r|\n/g
      lineEnd.lastIndex = from
      for (let end = lineEnd.exec(text); end !== null; end = lineEnd.exec(text)) {
        take(isTooLong ? undefined : rest + text.slice(from, end.index))
        rest = ''
        isTooLong = false
        from = lineEnd.lastIndex
      }
      if (!isTooLong) rest += text.slice(from)
      if (rest.length <= maxChars) return
      rest = ''
      isTooLong = true
    },
  }
}

/** Puts lines together to events. */
function createBlocks(
  maxChars: number,
  firstId: string,
): { readonly place: SsePlace; take(line: string | undefined): SseMessage | undefined } {
  const place = { lastId: firstId, retryMs: undefined as number | undefined, oversized: 0 }
  let id = firstId
  let hasOwnId = false
  let type = ''
  let data: string[] = []
  let dataChars = 0
  const end = (): SseMessage | undefined => {
    const message = { type: type === '' ? 'message' : type, data: data.join('\n'), id, hasOwnId }
    const isEvent = data.length > 0
    const isTooLarge = dataChars > maxChars
    place.lastId = id
    hasOwnId = false
    if (isTooLarge) place.oversized += 1
    type = ''
    data = []
    dataChars = 0
    return isEvent && !isTooLarge ? message : undefined
  }
  const field = (name: string, value: string): void => {
    if (name === 'data') {
      dataChars += value.length
      if (dataChars > maxChars) data = []
      else data.push(value)
    } else if (name === 'event') type = value
    else if (name === 'id' && !value.includes('\0')) {
      id = value
      hasOwnId = value !== ''
    } else if (name === 'retry' && /^\d{1,15}$/.test(value)) place.retryMs = Number(value)
  }
  return {
    place,
    take(line) {
      if (line === '') return end()
      // Only data is ever that long; were it something else, an event that nobody can trust is lost.
      if (line === undefined) dataChars = Number.POSITIVE_INFINITY
      const colon = line?.indexOf(':') ?? 0
      if (line === undefined || colon === 0) return undefined
      if (colon === -1) field(line, '')
      else field(line.slice(0, colon), line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1))
      return undefined
    },
  }
}
