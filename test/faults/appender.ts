// Handles commands on five streams until it is killed, and says each answer: "<command> <stream> <version> <sum>".
// Arguments: the folder of the store; the number of the first command.
import { join } from 'node:path'
import { decider, openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, first] = process.argv.slice(2) as [string, string]
const counter = decider<number, number, { type: 'counter.added' | 'counter.checked'; data: number }>({
  name: 'counters',
  initial: 0,
  // Two events: half of them must never be there.
  decide: (by, sum) => [
    { type: 'counter.added', data: by },
    { type: 'counter.checked', data: sum + by },
  ],
  evolve: (sum, { type, data }) => (type === 'counter.added' ? sum + data : sum),
  snapshot: { every: 40, version: 1 },
})
const pipeline = await openPipeline({ store: sqlite({ path: join(folder, 'events.db') }), streams: ['counter.*'] })

async function work(stream: string, from: number): Promise<void> {
  for (let command = from; ; command += 5) {
    const { version, state } = await counter.handle(pipeline, stream, command, { id: `${command}` })
    process.stdout.write(`${command} ${stream} ${version} ${state}\n`)
  }
}
await Promise.all([0, 1, 2, 3, 4].map((lane) => work(`s${lane}`, Number(first) * 5 + lane)))
