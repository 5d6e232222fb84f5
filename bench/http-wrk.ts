import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Measures, type Question, someEvent, type VariantContext } from './harness.ts'
import { serveBare, serveDoor } from './http-servers.ts'
import type { Served } from './serve.ts'

/** A script of wrk: the event of the other benchmarks, each time with another id. */
function scriptOf(prefix: string): string {
  const [before, after] = JSON.stringify({ ...someEvent(0), id: 'ID' }).split('ID')
  return `
local count = 0
local headers = { ["content-type"] = "application/json" }
function request()
  count = count + 1
  return wrk.format("POST", "/v1/events", headers, '${before}${prefix}-' .. count .. '${after}')
end
`
}

const run = promisify(execFile)

/** Loads a server for so many seconds; answers the requests of a second. */
async function wrk(port: number, seconds: number, directory: string): Promise<number> {
  const script = join(directory, 'order.lua')
  writeFileSync(script, scriptOf(randomUUID()))
  const args = ['--threads', '1', '--connections', '64', '--duration', `${seconds}s`, '--script', script]
  const { stdout } = await run('wrk', [...args, `http://127.0.0.1:${port}`]).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error('wrk is not installed: on Debian, apt-get install wrk')
    throw error
  })
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk says: ${stdout}`)
  return Number(/Requests\/sec: +([\d.]+)/.exec(stdout)?.[1])
}

async function against(served: Served, { directory, size }: VariantContext): Promise<Measures> {
  try {
    // Until what is hot is compiled.
    await wrk(served.port, size(4, 1), directory)
    return { perSecond: await wrk(served.port, size(8, 1), directory) }
  } finally {
    await served.stop()
  }
}

export const question: Question = {
  ask: 'The same with wrk, a client in C that leaves more of the machine to the server: 1 thread, 64 connections. (Needs wrk on the PATH)',
  isLong: true,
  variants: {
    bare: async (context) => against(await serveBare(), context),
    millrace: async (context) => against(await serveDoor(context.directory), context),
  },
  targets: [
    {
      says: 'share of the bare server',
      value: (of) => of['millrace']!['perSecond']! / of['bare']!['perSecond']!,
      at: 'least',
      goal: 0.6,
    },
  ],
}
