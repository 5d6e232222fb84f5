import { connect, type Socket } from 'node:net'

/** What a load run saw. */
export interface LoadResult {
  readonly seconds: number
  readonly requests: number
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>
}

/** The bytes of one POST with keep-alive. */
export function postBytes(path: string, port: number, body: string): Buffer {
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

/**
 * Sends prepared requests over `connections` keep-alive connections, one at a time on each, and counts the answers.
 * Plain sockets and prepared bytes: on two cores a client that builds requests would be what is measured.
 */
export async function load(port: number, requests: readonly Buffer[], connections: number): Promise<LoadResult> {
  const statuses: Record<string, number> = {}
  let next = 0
  const begin = performance.now()
  await Promise.all(Array.from({ length: connections }, () => lane(port, () => requests[next++], statuses)))
  return { seconds: (performance.now() - begin) / 1000, requests: requests.length, statuses }
}

async function lane(port: number, take: () => Buffer | undefined, statuses: Record<string, number>): Promise<void> {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise<void>((resolve, reject) => {
    let pending = ''
    const send = (): void => {
      const request = take()
      if (request === undefined) socket.end(resolve)
      else socket.write(request)
    }
    socket.setEncoding('latin1')
    socket.once('connect', send)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the server closed a connection')))
    socket.on('data', (chunk: string) => {
      pending += chunk
      const status = completeAnswer(pending)
      if (status === undefined) return
      pending = ''
      statuses[status] = (statuses[status] ?? 0) + 1
      send()
    })
  })
}

/** The status of an answer that is there in full; one answer is outstanding at a time. */
function completeAnswer(text: string): string | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = text.slice(0, end)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  const isWhole = length === null ? text.endsWith('0\r\n\r\n') : text.length >= end + 4 + Number(length[1])
  return isWhole ? head.slice(9, 12) : undefined
}
