import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { command } from 'millrace/sinks/command'
import { sqlite } from 'millrace/stores/sqlite'
import { inFlight, type Question, type Variant } from './harness.ts'

const waitMs = 5_000
const longestMs = 1_200_000

/** Forks, forks twice, forks into a session of its own, each deaf to SIGTERM. */
const script = `trap "" TERM
sleep 1000 &
(sleep 1000 & (sleep 1000 &))
setsid sh -c "trap '' TERM HUP; (setsid sleep 1000 &); sleep 1000" >/dev/null 2>&1 &
sleep 1000`

/** Live processes that carry the mark in their environment. */
function processesWith(mark: string): number {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, 'latin1').includes(mark)
    } catch {
      return false
    }
  }).length
}

const millrace: Variant = async (context) => {
  const total = context.size(1_000, 20)
  const mark = `HOLDER=${context.directory}`
  await using pipeline = await openPipeline({
    store: sqlite({ path: join(context.directory, 'events.db') }),
    subscriptions: {
      slow: {
        concurrency: 16,
        timeout: '500ms',
        retry: { attempts: 1 },
        sink: command({ command: ['sh', '-c', script], env: { HOLDER: context.directory }, grace: '500ms' }),
        breaker: { failures: 1_000_000 },
      },
    },
  })
  await inFlight(total, 16, (index) => pipeline.publish({ source: 'shop', id: String(index), type: 'order.placed' }))
  let most = 0
  let dead = 0
  for (const deadline = performance.now() + longestMs; dead < total; ) {
    if (performance.now() > deadline) throw new Error(`only ${dead} of ${total} commands have ended`)
    await new Promise((resolve) => setTimeout(resolve, 200))
    most = Math.max(most, processesWith(mark))
    dead = (await pipeline.subscriptions())[0]!.counters.dead
  }
  await new Promise((resolve) => setTimeout(resolve, waitMs))
  if (most < 10) throw new Error(`only ${most} processes were seen, so that nothing is shown`)
  return { processesMost: most, processesLeft: processesWith(mark) }
}

export const question: Question = {
  ask: 'What do commands leave that time out? (each forks, forks twice, and starts sessions of its own that ignore SIGTERM; processes counted 5 seconds after the last attempt has ended)',
  isLong: true,
  variants: { millrace },
  targets: [
    {
      says: 'share of the processes that is gone',
      value: (of) => 1 - of['millrace']!['processesLeft']! / of['millrace']!['processesMost']!,
      at: 'least',
      goal: 1,
    },
  ],
}
