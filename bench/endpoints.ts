import { join } from 'node:path'
import { createCatalogue, openPipeline, type Pipeline } from 'millrace'
import { webhook } from 'millrace/sinks/webhook'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, quantile, secondsOf, type Variant, type VariantContext } from './harness.ts'
import { serveModule } from './serve.ts'

/** Of a hundred endpoints, so many refuse the connection, and so many take 29 s to answer. */
const [deadShare, slowShare] = [5, 5]
const places = 1024

/** Answers 204, those under /slow after 29 s. When asked, tells how late each event of a healthy endpoint came. */
const receiver = `
import { createServer } from 'node:http'
let late = []
const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(JSON.stringify(late))
    return
  }
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    if (request.url.startsWith('/slow')) return void setTimeout(() => response.writeHead(204).end(), 29_000)
    late.push(Date.now() - JSON.parse(Buffer.concat(parts)).data.at)
    response.writeHead(204).end()
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

type Kind = 'healthy' | 'dead' | 'slow'

function kindOf(n: number, areSick: boolean): Kind {
  if (!areSick) return 'healthy'
  if (n % 100 < deadShare) return 'dead'
  return n % 100 < deadShare + slowShare ? 'slow' : 'healthy'
}

function urlOf(n: number, port: number, areSick: boolean): string {
  const kind = kindOf(n, areSick)
  // Nothing listens on port 1024 of that address.
  return kind === 'dead' ? 'http://127.0.0.9:1024/' : `http://127.0.0.1:${port}/${kind}/${n}`
}

function open(directory: string): Promise<Pipeline> {
  return openPipeline(
    {
      store: sqlite({ path: join(directory, 'events.db') }),
      limits: { attempts: places },
      egress: { allow: ['127.0.0.0/8'] },
    },
    { directory, catalogue: createCatalogue([webhook]), log: quiet },
  )
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} }

/** One after the other: each is stored and at work before the next. */
async function subscribeAll(pipeline: Pipeline, count: number, port: number, areSick: boolean): Promise<void> {
  for (let n = 0; n < count; n++)
    await pipeline.subscribe(`customer-${n}`, {
      where: `meta.tenant == "t${n}"`,
      // Longer than the slow ones take.
      timeout: '35s',
      sink: webhook({ url: urlOf(n, port, areSick) }),
    })
}

/** Events at an even pace, one endpoint after the other in a scattered order, so that each gets the same share. */
async function publishEvenly(pipeline: Pipeline, endpoints: number, total: number, perSecond: number): Promise<void> {
  const tickMs = 20
  const began = performance.now()
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.ceil(((performance.now() - began) / 1000) * perSecond))
    const batch = Array.from({ length: due - sent }, (_, index) => {
      const n = ((sent + index) * 7919) % endpoints
      return {
        source: 'bench',
        id: String(sent + index),
        type: 'order.placed',
        meta: { tenant: `t${n}` },
        data: { at: Date.now() },
      }
    })
    if (batch.length > 0) await pipeline.publish(batch)
    sent = due
    await new Promise((resolve) => setTimeout(resolve, tickMs))
  }
}

async function lateOf(port: number): Promise<readonly number[]> {
  return (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as number[]
}

const endpoints =
  (areSick: boolean): Variant =>
  async (context: VariantContext) => {
    const count = context.size(10_000, 500)
    const total = context.size(30_000, 1_000)
    const served = await serveModule(receiver)
    try {
      const first = await open(context.directory)
      const makeSeconds = await secondsOf(() => subscribeAll(first, count, served.port, areSick))
      await first.stop()
      globalThis.gc?.()
      const before = process.memoryUsage().heapUsed
      let pipeline: Pipeline | undefined
      const startSeconds = await secondsOf(async () => {
        pipeline = await open(context.directory)
      })
      globalThis.gc?.()
      const heapBytes = process.memoryUsage().heapUsed - before
      await publishEvenly(pipeline!, count, total, context.size(500, 500))
      const healthy = Array.from({ length: total }, (_, n) => kindOf((n * 7919) % count, areSick)).filter(
        (kind) => kind === 'healthy',
      ).length
      let late = await lateOf(served.port)
      for (let wait = 0; late.length < healthy && wait < 600; wait++) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        late = await lateOf(served.port)
      }
      if (late.length < healthy) throw new Error(`${late.length} of ${healthy} events of healthy endpoints came`)
      await pipeline!.stop({ deadline: '1s' })
      return {
        p50Milliseconds: quantile(late, 0.5),
        p99Milliseconds: quantile(late, 0.99),
        makeEachMilliseconds: (makeSeconds * 1000) / count,
        startSeconds,
        heapKilobytesEach: heapBytes / 1024 / count,
      }
    } finally {
      await served.stop()
    }
  }

export const question: Question = {
  isLong: true,
  ask: 'What do sick endpoints cost the healthy ones? (10,000 made at run time, each event to one, 500 a second; 5 % refuse the connection, 5 % take 29 s; 1,024 places in all)',
  variants: { healthy: endpoints(false), sick: endpoints(true) },
  targets: [
    {
      says: 'p99 of the healthy ones against that without the sick',
      value: (of) => of['sick']!['p99Milliseconds']! / of['healthy']!['p99Milliseconds']!,
      at: 'most',
      goal: 2,
      holdsQuick: false,
    },
    {
      says: 'seconds to start with all of them',
      value: (of) => of['healthy']!['startSeconds']!,
      at: 'most',
      goal: 5,
    },
  ],
}
