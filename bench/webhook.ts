import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { webhook } from 'millrace/sinks/webhook'
import { sqlite } from 'millrace/stores/sqlite'
import { Pool } from 'undici'
import { inFlight, type Question, secondsOf, someEvent, type Variant } from './harness.ts'
import { checkBooks, publishMany } from './pipelines.ts'
import { serveModule } from './serve.ts'

const width = 64

/** Counts, answers 204, and gives the count and the last request when asked. */
const receiver = `
import { createServer } from 'node:http'
let count = 0
let last
const server = createServer((request, response) => {
  if (request.method === 'GET') return response.end(JSON.stringify({ count, last }))
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    count++
    last ??= { headers: request.headers, body: Buffer.concat(parts).toString() }
    response.writeHead(204).end()
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

interface Seen {
  readonly count: number
  readonly last: { readonly headers: Readonly<Record<string, string>>; readonly body: string }
}

async function seenBy(port: number): Promise<Seen> {
  return (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as Seen
}

function cpuMicroseconds(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return user + system
}

/** Delivers a backlog to a subscription that is open and paused until then, so that only delivering is measured. */
async function deliver(directory: string, port: number, total: number): Promise<{ seconds: number; cpu: number }> {
  const path = join(directory, 'events.db')
  const before = await openPipeline({ store: sqlite({ path }), subscriptions: {} })
  await publishMany(before, total, someEvent)
  await before.stop()
  await using pipeline = await openPipeline({
    store: sqlite({ path }),
    subscriptions: {
      hook: {
        start: 'beginning',
        paused: true,
        concurrency: width,
        sink: webhook({ url: `http://127.0.0.1:${port}/` }),
      },
    },
  })
  const cpu = process.cpuUsage()
  const seconds = await secondsOf(async () => {
    await pipeline.resume('hook')
    await pipeline.idle()
  })
  const used = cpuMicroseconds(cpu)
  await checkBooks(pipeline, total)
  return { seconds, cpu: used }
}

const millrace: Variant = async (context) => {
  const total = context.size(200_000, 3_000)
  const served = await serveModule(receiver)
  try {
    const { seconds, cpu } = await deliver(context.directory, served.port, total)
    const { count } = await seenBy(served.port)
    if (count !== total) throw new Error(`the receiver got ${count} of ${total}`)
    return { perSecond: total / seconds, cpuMicrosecondsEach: cpu / total }
  } finally {
    await served.stop()
  }
}

/** A loop that sends the same headers and body and reads the answer. */
const bare: Variant = async (context) => {
  const total = context.size(200_000, 3_000)
  const served = await serveModule(receiver)
  try {
    await deliver(context.directory, served.port, 1)
    const { last } = await seenBy(served.port)
    const headers = Object.fromEntries(
      Object.entries(last.headers).filter(([name]) => !['host', 'connection', 'content-length'].includes(name)),
    )
    const pool = new Pool(`http://127.0.0.1:${served.port}`, { connections: width, pipelining: 1 })
    const cpu = process.cpuUsage()
    const seconds = await secondsOf(() =>
      inFlight(total, width, async () => {
        const answer = await pool.request({ path: '/', method: 'POST', headers, body: last.body })
        if (answer.statusCode !== 204) throw new Error(`answered ${answer.statusCode}`)
        await answer.body.dump()
      }),
    )
    const used = cpuMicroseconds(cpu)
    await pool.close()
    return { perSecond: total / seconds, cpuMicrosecondsEach: used / total }
  } finally {
    await served.stop()
  }
}

export const question: Question = {
  ask: 'What does the engine add to sending webhooks? (64 in flight to a receiver in another process, from a stored backlog until all is settled, against a bare undici loop that sends the same bytes; processor time is that of the sending process)',
  variants: { bare, millrace },
  targets: [
    {
      says: 'share of the bare rate',
      value: (of) => of['millrace']!['perSecond']! / of['bare']!['perSecond']!,
      at: 'least',
      goal: 0.7,
      holdsQuick: false,
    },
    {
      says: 'processor time per delivery against bare',
      value: (of) => of['millrace']!['cpuMicrosecondsEach']! / of['bare']!['cpuMicrosecondsEach']!,
      at: 'most',
      goal: 1.5,
      holdsQuick: false,
    },
  ],
}
