import { workerData } from 'node:worker_threads'
import { messageOf } from '../../core/errors.ts'
import { deepFreeze, Event } from '../../core/event.ts'
import type { Log } from '../../core/platform.ts'
import type { StageInput } from '../stage.ts'
import type { Reply, Request, Target, ThreadData, WireCall } from './protocol.ts'
import { leavingResult } from './result.ts'

// The thread in which isolated stages run, one call at a time.

/** Lines that one call may log; more would fill the memory of those who read them. */
const mostLines = 1000

const { port } = workerData as ThreadData
const send = (reply: Reply): void => port.postMessage(reply)
let underway: AbortController | undefined

port.on('message', (request: Request) => {
  if (request.kind === 'abort') underway?.abort(new Error(request.reason))
  else void answer(request)
})

async function answer({ id, target, call }: Extract<Request, { kind: 'call' }>): Promise<void> {
  try {
    const run = await functionOf(target)
    underway = new AbortController()
    const value = call === undefined ? undefined : await run(inputOf(id, call, underway.signal), call.own)
    send({ kind: 'done', id, value: leavingResult(value) })
  } catch (error) {
    send({ kind: 'failed', id, problem: messageOf(error) })
  }
}

type Run = (input: StageInput, own: unknown) => unknown

async function functionOf({ url, name }: Target): Promise<Run> {
  const module = (await import(url)) as Readonly<Record<string, unknown>>
  const found = module[name]
  if (typeof found === 'function' && !('declaration' in found)) return found as Run
  const what = name === 'default' ? 'its default export' : `its export ${name}`
  const available = Object.keys(module).sort().join(', ')
  throw new Error(
    found === undefined
      ? `${what} is missing; it exports ${available === '' ? 'nothing' : available}`
      : `${what} is not a function: only functions can be isolated`,
  )
}

function inputOf(id: number, { record, context, attempt, now }: WireCall, signal: AbortSignal): StageInput {
  const beganAt = performance.now()
  return {
    event: new Event(record),
    context: deepFreeze(context),
    attempt,
    kept: undefined,
    get now() {
      return Math.round(now + performance.now() - beganAt)
    },
    signal,
    log: logOf(id),
  }
}

/** Lines go to the log of the pipeline. */
function logOf(id: number): Log {
  let lines = 0
  const to =
    (level: keyof Log): Log[keyof Log] =>
    (message, fields) => {
      lines += 1
      if (lines > mostLines) return
      const last = lines === mostLines ? ' (the last line of this call that is logged)' : ''
      const plain = fields === undefined ? undefined : (JSON.parse(JSON.stringify(fields)) as typeof fields)
      send({ kind: 'log', id, level, message: `${message}${last}`, fields: plain })
    }
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') }
}
