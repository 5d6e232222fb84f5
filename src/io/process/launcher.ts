import { runProcess } from '../process.ts'
import { closeInherited } from './descriptors.ts'
import type { LauncherOrder, LauncherReply } from './launch.ts'

// The launcher: a small process of its own that runs programs for its parent, which sends orders and gets results. When
// the parent is gone, however it ended, the launcher ends everything that runs, and then itself.

const stops = new Map<number, AbortController>()

async function run({ number, request }: LauncherOrder & { kind: 'run' }): Promise<void> {
  const stop = new AbortController()
  stops.set(number, stop)
  const result = await runProcess({ ...request, signal: stop.signal })
  stops.delete(number)
  const reply: LauncherReply = { number, result }
  // Without a parent nobody waits.
  if (process.connected) process.send!(reply, () => undefined)
}

closeInherited()
// What a terminal or a service manager sends to every process is for the parent, which drains first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.on('message', (order: LauncherOrder) => {
  if (order.kind === 'run') void run(order)
  else stops.get(order.number)?.abort()
})
// When the last run has ended nothing keeps this process alive.
process.on('disconnect', () => {
  for (const stop of stops.values()) stop.abort()
})
