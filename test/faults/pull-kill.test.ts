import { join } from 'node:path'
import { createPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, test } from 'vitest'
import { type Running, run, temporaryFolder, until } from './process.ts'

interface Batch {
  readonly batch: string
  readonly receipt: string
  readonly sequences: readonly number[]
  readonly deliveryCounts: readonly number[]
  readonly deadline: string
}

interface Served {
  readonly process: Running
  post(path: string, body: unknown): Promise<{ readonly status: number; readonly body: unknown }>
  fetchBatch(limit?: number): Promise<Batch | undefined>
}

async function serve(folder: string, ...more: string[]): Promise<Served> {
  const process = run('./pull-server.ts', folder, '0', ...more)
  const port = (await process.says('listening ')).split(' ')[1]
  const post: Served['post'] = async (path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: answer.status, body: answer.status === 204 ? undefined : await answer.json() }
  }
  return {
    process,
    post,
    async fetchBatch(limit = 10) {
      const { status, body } = await post('/v1/subscriptions/work/batches', { limit })
      return status === 201 ? (body as Batch) : undefined
    },
  }
}

const confirmPath = ({ batch }: Batch): string => `/v1/subscriptions/work/batches/${batch}/confirm`

const events = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => {
    const n = from + i
    return { source: 'shop', id: String(n), type: 'order.placed', subject: `s${n % 7}`, data: { n } }
  })

async function booksOf(folder: string) {
  const pipeline = createPipeline({ store: sqlite({ path: join(folder, 'events.db'), readOnly: true }) })
  await pipeline.open()
  const report = await pipeline.audit()
  await pipeline.stop()
  expect(report.subscriptions.flatMap(({ problems }) => problems)).toEqual([])
  expect(report.ok).toBe(true)
  return report.subscriptions[0]!.books
}

test('kill -9 when a batch is leased and its client not answered: nobody has its events before the deadline, then they come once more', async () => {
  // K10 S0-29
  const folder = temporaryFolder()
  const first = await serve(folder, 'fetch')
  await first.post('/v1/events', events(5))
  await expect(first.fetchBatch(3)).rejects.toThrow()
  expect((await first.process.ended).signal).toBe('SIGKILL')
  expect(await booksOf(folder)).toMatchObject({ open: 5, delivered: 0 })

  const second = await serve(folder)
  const others = await second.fetchBatch()
  expect(others?.sequences).toEqual([4, 5])
  let again: Batch | undefined
  await until(async () => {
    again = await second.fetchBatch()
    return again !== undefined
  })
  expect([again!.sequences, again!.deliveryCounts]).toEqual([
    [1, 2, 3],
    [2, 2, 2],
  ])
  await second.process.end('SIGKILL')
})

test('kill -9 between fetch and confirm: the receipt still acts; after a confirm that was not answered: the same one changes nothing', async () => {
  // K11 G23
  const folder = temporaryFolder()
  const first = await serve(folder)
  await first.post('/v1/events', events(4))
  const batch = (await first.fetchBatch(2))!
  await first.process.end('SIGKILL')

  const second = await serve(folder, 'confirm')
  await expect(second.post(confirmPath(batch), { receipt: batch.receipt })).rejects.toThrow()
  expect((await second.process.ended).signal).toBe('SIGKILL')
  expect(await booksOf(folder)).toMatchObject({ delivered: 2, open: 2 })

  const third = await serve(folder)
  const answer = await third.post(confirmPath(batch), { receipt: batch.receipt })
  expect(answer).toEqual({ status: 200, body: { confirmed: 0 } })
  expect((await third.fetchBatch())!.sequences).toEqual([3, 4])
  expect((await third.process.end('SIGTERM')).code).toBe(0)
  expect(await booksOf(folder)).toMatchObject({ delivered: 2, open: 2 })
})

test('kill -9 at any moment under clients: what was confirmed with 200 never comes again, no client has what another one has, nothing is left out', {
  timeout: 60_000,
}, async () => {
  // G14 G23 K10 K11 S0-16 S0-29
  const folder = temporaryFolder()
  const total = 600
  const confirmed = new Set<number>()
  const problems: string[] = []
  let published = 0
  // Confirms that nobody answered: their client asks again.
  let unanswered: Batch[] = []
  for (let round = 0; confirmed.size < total; round++) {
    const served = await serve(folder)
    // Every batch of a process before is older than any of this one: only what is out now can collide.
    const out = new Map<number, number>()
    const confirm = async (batch: Batch): Promise<void> => {
      unanswered.push(batch)
      const { status } = await served.post(confirmPath(batch), { receipt: batch.receipt })
      unanswered = unanswered.filter((other) => other !== batch)
      if (status === 200) for (const sequence of batch.sequences) confirmed.add(sequence)
    }
    for (const batch of unanswered.splice(0)) await confirm(batch)
    const work = async (): Promise<void> => {
      for (;;) {
        const batch = await served.fetchBatch(20)
        if (batch === undefined) {
          if (confirmed.size >= total) return
          await new Promise((resolve) => setTimeout(resolve, 20))
          continue
        }
        for (const sequence of batch.sequences) {
          if (confirmed.has(sequence)) problems.push(`${sequence} came again after its confirm`)
          if ((out.get(sequence) ?? 0) > Date.now()) problems.push(`${sequence} is with two clients`)
          out.set(sequence, Date.parse(batch.deadline))
        }
        await confirm(batch)
      }
    }
    const isLast = round >= 4
    const publish = served.post('/v1/events', events(120, published)).then(() => {
      published += 120
    })
    if (!isLast) await publish
    const clients = Promise.all([work(), work(), work()])
    if (isLast) await clients
    else {
      const enough = confirmed.size + 40 + round * 13
      await Promise.race([until(() => confirmed.size >= enough), clients]).catch(() => undefined)
    }
    const [end] = await Promise.all([
      served.process.end(isLast ? 'SIGTERM' : 'SIGKILL'),
      clients.catch(() => undefined),
    ])
    if (isLast) expect(end.code).toBe(0)
    if (round > 8) break
  }
  expect(problems).toEqual([])
  expect(confirmed.size).toBe(total)
  expect(await booksOf(folder)).toMatchObject({ delivered: total, open: 0 })
})
