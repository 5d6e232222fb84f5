import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { webhook } from 'millrace/sinks/webhook'
import { sqlite } from 'millrace/stores/sqlite'
import { Pool } from 'undici'
import { inFlight, secondsOf, someEvent, type Target, type Variant } from './harness.ts'
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

/** What the sink is given beside the address. */
export interface Sending {
  readonly secret?: string | undefined
}

/** Events that wait when the deliveries begin: few enough to be in memory still, or all of them, read from the disk. */
type Waiting = 'recent' | 'backlog'
const recent = 10_000

/** Delivers what waits for a subscription that is paused until then, so that only delivering is measured. */
async function deliver(
  directory: string,
  port: number,
  total: number,
  { sending, waiting }: { readonly sending: Sending; readonly waiting: Waiting },
): Promise<{ seconds: number; cpu: number }> {
  const path = join(directory, 'events.db')
  if (waiting === 'backlog') {
    const before = await openPipeline({ store: sqlite({ path }), subscriptions: {} })
    await publishMany(before, total, someEvent)
    await before.stop()
  }
  await using pipeline = await openPipeline({
    store: sqlite({ path }),
    egress: { allow: ['127.0.0.0/8'] },
    subscriptions: {
      hook: {
        start: 'beginning',
        paused: true,
        concurrency: width,
        sink: webhook({ url: `http://127.0.0.1:${port}/`, ...sending }),
      },
    },
  })
  let seconds = 0
  let used = 0
  const step = waiting === 'backlog' ? total : Math.min(recent, total)
  for (let sent = 0; sent < total; sent += step) {
    if (waiting === 'recent') {
      await pipeline.pause('hook')
      const base = sent
      await publishMany(pipeline, Math.min(step, total - sent), (index) => someEvent(base + index))
    }
    const cpu = process.cpuUsage()
    seconds += await secondsOf(async () => {
      await pipeline.resume('hook')
      await pipeline.idle()
    })
    used += cpuMicroseconds(cpu)
  }
  await checkBooks(pipeline, total)
  return { seconds, cpu: used }
}

/** The pipeline. */
const millrace =
  (sending: Sending, waiting: Waiting): Variant =>
  async (context) => {
    const total = context.size(200_000, 3_000)
    const served = await serveModule(receiver)
    try {
      const { seconds, cpu } = await deliver(context.directory, served.port, total, { sending, waiting })
      const { count } = await seenBy(served.port)
      if (count !== total) throw new Error(`the receiver got ${count} of ${total}`)
      return { perSecond: total / seconds, cpuMicrosecondsEach: cpu / total }
    } finally {
      await served.stop()
    }
  }

/** A loop that sends the same headers and body and reads the answer. */
const bare =
  (sending: Sending): Variant =>
  async (context) => {
    const total = context.size(200_000, 3_000)
    const served = await serveModule(receiver)
    try {
      await deliver(context.directory, served.port, 1, { sending, waiting: 'recent' })
      const { last } = await seenBy(served.port)
      if ((sending.secret !== undefined) !== Object.hasOwn(last.headers, 'webhook-signature'))
        throw new Error('signed where it should not be, or not signed')
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

/** The pipeline that reads what waits back from the disk. */
export const fromBacklog = (sending: Sending): Variant => millrace(sending, 'backlog')

/** Both ways of sending the same bytes. */
export const sendingVariants = (sending: Sending): Readonly<Record<string, Variant>> => ({
  bare: bare(sending),
  millrace: millrace(sending, 'recent'),
})

/** What the pipeline may cost on top of the bare loop. */
export const sendingTargets = (goals: { readonly rate: number; readonly processor: number }): readonly Target[] => [
  {
    says: 'share of the bare rate',
    value: (of) => of['millrace']!['perSecond']! / of['bare']!['perSecond']!,
    at: 'least',
    goal: goals.rate,
    holdsQuick: false,
  },
  {
    says: 'processor time per delivery against bare',
    value: (of) => of['millrace']!['cpuMicrosecondsEach']! / of['bare']!['cpuMicrosecondsEach']!,
    at: 'most',
    goal: goals.processor,
    holdsQuick: false,
  },
]
