// A process that may not write beyond a size of a file for a while, so that COMMIT really fails. Argument: the path of the file.
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { recordingSink } from 'millrace/testing'

const path = process.argv[2]!
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** The kernel answers EFBIG to writes beyond the limit; Node ignores the signal that comes with it. */
function limitFiles(bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`])
}

const sink = recordingSink()
const pipeline = await openPipeline(
  { store: sqlite({ path }), subscriptions: { work: { sink, start: 'beginning' } } },
  { log: silent },
)
const event = (n: number) => ({ source: 'shop', id: String(n), type: 'order.placed', data: { text: 'x'.repeat(3000) } })

/** Answers per event: its status, or the code of the error. */
async function publish(ids: readonly number[]): Promise<readonly (readonly [number, string, number | undefined])[]> {
  return Promise.all(
    ids.map((n) =>
      pipeline.publish(event(n)).then(
        ({ status, sequence }) => [n, status, sequence] as const,
        (error: { code?: string }) => [n, String(error.code), undefined] as const,
      ),
    ),
  )
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)

const before = await publish(range(1, 20))
await pipeline.idle()
limitFiles(statSync(`${path}-wal`).size + 10_000)
// In several transactions: the first may fit, a later one breaks off in the middle of its frames.
const during = []
for (let from = 21; from <= 60; from += 4) during.push(...(await publish(range(from, from + 3))))
const { ready } = await pipeline.health()
limitFiles('unlimited')
const again = await publish(range(1, 60))
await pipeline.idle()
const sequences = again.flatMap(([, , sequence]) => sequence ?? [])
const there = await pipeline.store.readMany(sequences)
const report = await pipeline.audit()
const verified = await pipeline.store.verify()
console.log(
  `report ${JSON.stringify({
    before,
    during,
    ready,
    again,
    there: there.map(({ id, sequence }) => [Number(id), sequence]),
    head: pipeline.store.head(),
    delivered: sink.received.map(({ event: { id } }) => Number(id)),
    audit: report.ok,
    verify: verified.problems,
  })}`,
)
await pipeline.stop()
