import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type Measures, type Question, secondsOf, someEvent, type VariantContext } from './harness.ts'
import { load, postBytes } from './load.ts'
import { type Served, serveMillrace, serveModule } from './serve.ts'

const path = '/v1/subscriptions/feed/stream'

/** Writes the same frames to every client when asked to, 64 in a turn, and waits only for who is full. */
const bareServer = `
import { createServer } from 'node:http'
const clients = new Set()
const server = createServer(async (request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' })
    response.write('event: info\\ndata: connected\\n\\n')
    clients.add(response)
    request.socket.on('close', () => clients.delete(response))
    return
  }
  const parts = []
  for await (const part of request) parts.push(part)
  const { frames } = JSON.parse(Buffer.concat(parts).toString())
  response.end()
  for (let first = 0; first < frames.length; first += 64) {
    const full = new Set()
    for (const frame of frames.slice(first, first + 64)) for (const client of clients) if (!client.write(frame)) full.add(client)
    await Promise.all([...full].map((client) => new Promise((resolve) => client.writableNeedDrain ? client.once('drain', resolve) : resolve())))
    await new Promise((resolve) => setImmediate(resolve))
  }
})
server.maxConnections = 20000
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

interface Readers {
  /** Resolves when every client has been sent so many frames in all. */
  reach(frames: number): Promise<void>
  /** From now on nobody reads. */
  stall(): void
  end(): void
}

const frameEnd = Buffer.from('\n\n')

/** Connects clients that count frames, some at a time, and waits until each has its first. */
async function connectReaders(port: number, count: number): Promise<Readers> {
  const sockets: Socket[] = []
  const seen = new Int32Array(count)
  let waiting: { frames: number; left: number; resolve: () => void } | undefined
  const read = (index: number): Socket => {
    let endsInBreak = false
    const socket = connect({ port, host: '127.0.0.1' })
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    socket.on('error', () => undefined)
    socket.on('data', (part) => {
      let frames = endsInBreak && part[0] === 10 ? 1 : 0
      for (let at = part.indexOf(frameEnd); at >= 0; at = part.indexOf(frameEnd, at + 2)) frames += 1
      endsInBreak = part.at(-1) === 10 && part.at(-2) !== 10
      const before = seen[index]!
      seen[index] = before + frames
      if (waiting === undefined || before >= waiting.frames || before + frames < waiting.frames) return
      waiting.left -= 1
      if (waiting.left === 0) waiting.resolve()
    })
    return socket
  }
  const reach = (frames: number): Promise<void> =>
    new Promise((resolve) => {
      const left = sockets.filter((_, index) => seen[index]! < frames).length
      waiting = { frames, left, resolve }
      if (left === 0) resolve()
    })
  for (let first = 0; first < count; first += 100) {
    for (let index = first; index < Math.min(count, first + 100); index++) sockets.push(read(index))
    await reach(1)
  }
  return {
    reach,
    stall: () => {
      for (const socket of sockets) socket.pause()
    },
    end: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

const clientsOf = (context: VariantContext): number => context.size(1_000, 50)
const eventsOf = (context: VariantContext): number => context.size(2_000, 200)

/** What Millrace sends for an event, so that the bare loop sends the same. */
function frameOf(index: number): string {
  const { id, source, type, subject, data } = someEvent(index)
  const time = new Date().toISOString()
  const event = {
    specversion: '1.0',
    id,
    source,
    type,
    subject,
    time,
    sequence: String(index),
    recordedtime: time,
    data,
  }
  return `id: ${id}-${index}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`
}

const bare = async (context: VariantContext): Promise<Measures> => {
  const served = await serveModule(bareServer)
  const readers = await connectReaders(served.port, clientsOf(context))
  try {
    const events = eventsOf(context)
    const go = async (count: number, upTo: number): Promise<number> => {
      const body = JSON.stringify({ frames: Array.from({ length: count }, (_, index) => frameOf(index)) })
      return secondsOf(async () => {
        await fetch(`http://127.0.0.1:${served.port}/`, { method: 'POST', body })
        await readers.reach(upTo)
      })
    }
    const warm = Math.ceil(events / 10)
    await go(warm, 1 + warm)
    const seconds = await go(events, 1 + warm + events)
    return { sentPerSecond: (events * clientsOf(context)) / seconds }
  } finally {
    readers.end()
    await served.stop()
  }
}

function serve(context: VariantContext, patience = '20s'): Promise<Served> {
  return serveMillrace(context.directory, {
    store: { type: 'sqlite', path: join(context.directory, 'events.db') },
    subscriptions: { feed: { sink: { type: 'sse', patience } } },
  })
}

/** Publishes single events, 64 requests in flight: clients are sent what comes while it comes. */
async function publish(served: Served, first: number, count: number): Promise<void> {
  const requests = Array.from({ length: count }, (_, index) =>
    postBytes('/v1/events', served.port, JSON.stringify(someEvent(first + index))),
  )
  const { statuses } = await load(served.port, requests, 64)
  if (statuses['201'] !== count) throw new Error(`of ${count} events: ${JSON.stringify(statuses)}`)
}

const millrace = async (context: VariantContext): Promise<Measures> => {
  const served = await serve(context)
  const readers = await connectReaders(served.port, clientsOf(context))
  try {
    const events = eventsOf(context)
    const warm = Math.ceil(events / 10)
    await publish(served, 0, warm)
    await readers.reach(1 + warm)
    const seconds = await secondsOf(async () => {
      await publish(served, warm, events)
      await readers.reach(1 + warm + events)
    })
    return { sentPerSecond: (events * clientsOf(context)) / seconds }
  } finally {
    readers.end()
    await served.stop()
  }
}

/** Resident memory of a process, where the system says it. */
function residentMiB(pid: number | undefined): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) / 1024
}

async function viewOf(served: Served): Promise<{ sent: number; cut: number }> {
  const answer = await fetch(`http://127.0.0.1:${served.port}/v1/subscriptions/feed`)
  return ((await answer.json()) as { view: { sent: number; cut: number } }).view
}

async function publishBatch(served: Served, first: number): Promise<void> {
  const events = Array.from({ length: 1_000 }, (_, index) => someEvent(first + index))
  const answer = await fetch(`http://127.0.0.1:${served.port}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })
  if (answer.status !== 200) throw new Error(`a batch was answered with ${answer.status}`)
  await answer.arrayBuffer()
}

const stalled = async (context: VariantContext): Promise<Measures> => {
  const count = clientsOf(context)
  const served = await serve(context, context.isQuick ? '1s' : '20s')
  try {
    // The newest events are kept in memory in any case: what they take is there before the clients come.
    let published = 0
    for (; published < context.size(100_000, 5_000); published += 1_000) await publishBatch(served, published)
    const before = residentMiB(served.process.pid)
    const readers = await connectReaders(served.port, count)
    readers.stall()
    let peak = before
    const seconds = await secondsOf(async () => {
      // Nobody reads: once three batches in a row were sent to nobody, every connection is full.
      let sent = -1
      for (let unsent = 0; unsent < 3; published += 1_000) {
        await publishBatch(served, published)
        const now = (await viewOf(served)).sent
        unsent = now === sent ? unsent + 1 : 0
        sent = now
        peak = Math.max(peak, residentMiB(served.process.pid))
      }
      while ((await viewOf(served)).cut < count) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        peak = Math.max(peak, residentMiB(served.process.pid))
      }
    })
    readers.end()
    return { memoryMiB: peak - before, cutAfterSeconds: seconds }
  } finally {
    await served.stop()
  }
}

export const question: Question = {
  ask: 'What does a view of the log cost for 1,000 clients? (events of about 220 bytes of data published one by one, 64 requests in flight, against a bare loop of res.write that sends the same frames; clients are sockets in another process. stalled: what clients that read nothing cost, and how soon the last one is cut)',
  variants: { bare, millrace, stalled },
  targets: [
    {
      says: 'share of the bare loop',
      value: (of) => of['millrace']!['sentPerSecond']! / of['bare']!['sentPerSecond']!,
      at: 'least',
      goal: 0.7,
      holdsQuick: false,
    },
    {
      says: 'MiB that 1,000 stalled clients cost',
      value: (of) => of['stalled']!['memoryMiB']!,
      at: 'most',
      goal: 64,
      holdsQuick: false,
    },
    {
      says: 'seconds until all of them are cut',
      value: (of) => of['stalled']!['cutAfterSeconds']!,
      at: 'most',
      goal: 30,
      holdsQuick: false,
    },
  ],
}
