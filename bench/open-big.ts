import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Question, Variant } from './harness.ts'
import { conditions, serveMillrace } from './serve.ts'

/** A sink whose far side is away: every attempt waits for its next one. */
const awaySink = `
import { defineSink, schema } from 'millrace/plugin'
export default defineSink({
  name: 'away', summary: 'Is never reached.', options: schema.strictObject({}), example: {}, delivers: 'nothing',
  create: () => ({ deliver: () => [{ outcome: 'retry', reason: 'away', delayMs: 3_600_000 }] }),
})
`

/** Fills a store, with two subscriptions because one stops examining at 100,000 open deliveries, in a process that is then killed: nothing is closed, nothing is flushed. */
function filler(here: string, directory: string, total: number, waiting: number): string {
  return `
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { someEvent } from ${JSON.stringify(join(here, 'harness.ts'))}
import { publishMany } from ${JSON.stringify(join(here, 'pipelines.ts'))}
import away from ${JSON.stringify(join(directory, 'away.ts'))}
const pipeline = await openPipeline({
  store: sqlite({ path: ${JSON.stringify(join(directory, 'events.db'))} }),
  subscriptions: { a: { match: ['slow.a'], sink: away({}) }, b: { match: ['slow.b'], sink: away({}) } },
})
await publishMany(pipeline, ${waiting}, (index) => someEvent(index, index % 2 === 0 ? 'slow.a' : 'slow.b'))
await publishMany(pipeline, ${total - waiting}, someEvent)
await pipeline.idle()
const open = (await pipeline.subscriptions()).reduce((sum, subscription) => sum + subscription.open, 0)
if (open !== ${waiting}) throw new Error('waiting: ' + open)
process.kill(process.pid, 'SIGKILL')
`
}

const opening: Variant = async (context) => {
  const total = context.size(10_000_000, 50_000)
  const waiting = context.size(100_000, 1_000)
  const { directory } = context
  writeFileSync(join(directory, 'away.ts'), awaySink)
  const script = join(directory, 'fill.ts')
  writeFileSync(script, filler(import.meta.dirname, directory, total, waiting))
  const child = spawn(process.execPath, [...conditions, script], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const signal = await new Promise((resolve) => child.once('exit', (_, by) => resolve(by)))
  if (signal !== 'SIGKILL') throw new Error('the store could not be filled')
  const begin = performance.now()
  const served = await serveMillrace(directory, {
    store: { type: 'sqlite', path: join(directory, 'events.db') },
    subscriptions: {
      a: { match: ['slow.a'], sink: { type: './away.ts' } },
      b: { match: ['slow.b'], sink: { type: './away.ts' } },
    },
  })
  const readyMs = performance.now() - begin
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${served.process.pid}/status`, 'utf8'))
  await served.stop()
  return { readyMs, peakMiB: Number(peak?.[1]) / 1024 }
}

export const question: Question = {
  ask: 'How soon is a big store ready after kill -9, and with how much memory? (10 million events, 100,000 waiting retries, from starting the process to /readyz 200)',
  isLong: true,
  isBuilt: true,
  variants: { millrace: opening },
  targets: [
    { says: 'ms until ready', value: (of) => of['millrace']!['readyMs']!, at: 'most', goal: 2_000, holdsQuick: false },
    {
      says: 'peak memory in MiB',
      value: (of) => of['millrace']!['peakMiB']!,
      at: 'most',
      goal: 300,
      holdsQuick: false,
    },
  ],
}
