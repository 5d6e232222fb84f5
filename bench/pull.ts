import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { inFlight, type Question, quantile, someEvents } from './harness.ts'
import { load, postBytes } from './load.ts'
import { serveMillrace } from './serve.ts'

const batch = 100
const clients = 16
const path = '/v1/subscriptions/work/batches'

/** One keep-alive connection that asks and waits for the whole answer; only the ends of long bodies are looked at. */
function openClient(port: number): { post(path: string, body: string): Promise<string>; end(): void } {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let pending = ''
  let settle: { resolve: (answer: string) => void; reject: (error: Error) => void } | undefined
  socket.setEncoding('latin1').on('data', (part: string) => {
    pending += part
    const end = pending.indexOf('\r\n\r\n')
    if (end === -1) return
    const length = /\r\ncontent-length: *(\d+)/i.exec(pending.slice(0, end))
    if (pending.length < end + 4 + Number(length?.[1] ?? 0)) return
    const answer = pending
    pending = ''
    settle?.resolve(answer)
  })
  socket.on('error', (error) => settle?.reject(error))
  socket.on('close', () => settle?.reject(new Error('the server closed a connection')))
  return {
    post: (to, body) =>
      new Promise((resolve, reject) => {
        settle = { resolve, reject }
        socket.write(postBytes(to, port, body))
      }),
    end: () => {
      settle = undefined
      socket.end()
    },
  }
}

/** Fetches and confirms until nothing is left; answers how many were confirmed, and how long each batch took. */
async function drain(port: number): Promise<{ confirmed: number; batchMs: readonly number[] }> {
  const client = openClient(port)
  const batchMs: number[] = []
  let confirmed = 0
  for (;;) {
    const begin = performance.now()
    const fetched = await client.post(path, JSON.stringify({ limit: batch }))
    if (fetched.startsWith('HTTP/1.1 204')) break
    const [, name, receipt] = /"batch":"([\w-]+)","receipt":"([\w.-]+)"/.exec(fetched) ?? []
    if (name === undefined) throw new Error(`fetching was answered ${fetched.slice(0, 300)}`)
    const answer = await client.post(`${path}/${name}/confirm`, JSON.stringify({ receipt }))
    const count = Number(/\{"confirmed":(\d+)\}$/.exec(answer)?.[1])
    if (!(count > 0)) throw new Error(`confirming was answered ${answer.slice(0, 300)}`)
    confirmed += count
    batchMs.push(performance.now() - begin)
  }
  client.end()
  return { confirmed, batchMs }
}

export const question: Question = {
  ask: `How many events a second are fetched and confirmed in batches of ${batch} over HTTP? (${clients} clients, from a stored backlog; the lease is on disk before the batch is answered, and the confirm before its answer)`,
  variants: {
    millrace: async (context) => {
      const served = await serveMillrace(context.directory, {
        store: { type: 'sqlite', path: join(context.directory, 'events.db') },
        sources: { api: { type: 'http' } },
        subscriptions: { work: { sink: { type: 'pull', lease: '5m' }, start: 'beginning' } },
      })
      try {
        const total = context.size(400_000, 10_000)
        const size = 1000
        const requests = Array.from({ length: total / size }, (_, index) =>
          postBytes('/v1/events', served.port, JSON.stringify(someEvents(size, index * size))),
        )
        const { statuses } = await load(served.port, requests, 4)
        if (statuses['200'] !== requests.length) throw new Error(`publishing was answered ${JSON.stringify(statuses)}`)
        const results: Awaited<ReturnType<typeof drain>>[] = []
        const begin = performance.now()
        await inFlight(clients, clients, async () => void results.push(await drain(served.port)))
        const seconds = (performance.now() - begin) / 1000
        const confirmed = results.reduce((sum, each) => sum + each.confirmed, 0)
        if (confirmed !== total) throw new Error(`${confirmed} of ${total} events were confirmed`)
        const audit = await fetch(`http://127.0.0.1:${served.port}/v1/audit`)
        if (((await audit.json()) as { ok: boolean }).ok !== true) throw new Error('the books do not balance')
        const batchMs = results.flatMap((each) => each.batchMs)
        return {
          eventsPerSecond: total / seconds,
          batchP50Ms: quantile(batchMs, 0.5),
          batchP99Ms: quantile(batchMs, 0.99),
        }
      } finally {
        await served.stop()
      }
    },
  },
  targets: [
    {
      says: 'events per second',
      value: (of) => of['millrace']!['eventsPerSecond']!,
      at: 'least',
      goal: 20_000,
      holdsQuick: false,
    },
  ],
}
