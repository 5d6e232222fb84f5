import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { command } from 'millrace/sinks/command'
import { sqlite } from 'millrace/stores/sqlite'
import { inFlight, type Question, secondsOf, someEvent, type Variant } from './harness.ts'
import { checkBooks, publishMany } from './pipelines.ts'

const width = 8
const program = '/bin/true'

/** One process for each event, from a stored backlog until all is settled. */
const millrace: Variant = async (context) => {
  const total = context.size(5_000, 200)
  await using pipeline = await openPipeline({
    store: sqlite({ path: join(context.directory, 'events.db') }),
    subscriptions: { run: { paused: true, concurrency: width, sink: command({ command: [program] }) } },
  })
  await publishMany(pipeline, total, someEvent)
  const seconds = await secondsOf(async () => {
    await pipeline.resume('run')
    await pipeline.idle()
  })
  await checkBooks(pipeline, total)
  return { perSecond: total / seconds }
}

/** A loop that starts the same program, writes the same number of bytes to it and waits until its output is read. */
const bare: Variant = async (context) => {
  const total = context.size(5_000, 200)
  const seconds = await secondsOf(() => inFlight(total, width, (index) => spawned(JSON.stringify(someEvent(index)))))
  return { perSecond: total / seconds }
}

function spawned(input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    child.stdout.resume()
    child.stderr.resume()
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`ended with ${code}`))))
  })
}

export const question: Question = {
  ask: 'What does the engine add to running a program? (/bin/true for each event, 8 at a time, the event on its standard input, outputs read, from a stored backlog until all is settled, against a bare spawn loop that does the same)',
  variants: { bare, millrace },
  targets: [
    {
      says: 'share of the bare rate',
      value: (of) => of['millrace']!['perSecond']! / of['bare']!['perSecond']!,
      at: 'least',
      goal: 0.8,
      holdsQuick: false,
    },
  ],
}
