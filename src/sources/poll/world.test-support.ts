import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { isSameContent } from '../../core/content.ts'
import type { EventRecord } from '../../core/event.ts'
import { checkEvent } from '../../core/event-check.ts'
import { type HttpClient, openHttpClient } from '../../io/http-client.ts'
import { parseEgressRule } from '../../plugin/egress-rule.ts'
import type { IngestResult, Source, SourceBatch, SourceContext } from '../../plugin/source.ts'
import { createVirtualPlatform } from '../../testing/virtual-platform.ts'
import { poll } from '../poll.ts'
import { createPoll } from './read.ts'

const loopback = parseEgressRule('127.0.0.0/8')
const egress = { allow: loopback.ok ? [loopback.rule] : [] }

export interface Asked {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** What a server says: a status, headers and a body that is made JSON unless it is text; or a function that does as it likes. */
export type Reply =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  | ((response: ServerResponse) => void)

/** A real HTTP server. */
export async function startApi(reply: (asked: Asked, number: number) => Reply) {
  const asked: Asked[] = []
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://api')
      const { method = '', headers } = request
      const query = Object.fromEntries(url.searchParams)
      asked.push({ method, path: url.pathname, query, headers, body: Buffer.concat(parts).toString() })
      const said = reply(asked.at(-1)!, asked.length)
      if (typeof said === 'function') return said(response)
      const { status = 200, headers: own = {}, body } = said
      response.writeHead(status, { 'content-type': 'application/json', ...own })
      response.end(typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body))
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/rows`, host: `127.0.0.1:${port}`, asked, open: () => sockets.size }
}

type Options = Parameters<typeof poll>[0]

/** A store that outlives the source, as the engine's does; time passes only between polls and when a test says so. */
export function createWorld(options: Options, given: { readonly client?: HttpClient; readonly startMs?: number } = {}) {
  const platform = createVirtualPlatform({ startMs: given.startMs ?? Date.parse('2026-01-01T00:00:00Z') })
  const checked = poll.declaration.options.parse(options) as never
  const stored = new Map<string, EventRecord>()
  const state = new Map<string, string>()
  const logged: string[] = []
  const counts = { stored: 0, duplicate: 0, conflict: 0 }
  const faults = { commit: false }
  let cursor: string | undefined
  let source: Source | undefined
  let stop = new AbortController()
  let batches: AsyncIterator<SourceBatch> | undefined
  let sleeping: { readonly ms: number; readonly wake: (isOver: boolean) => void } | undefined
  let onSleep: (() => void) | undefined

  const commit = (batch: SourceBatch): readonly IngestResult[] => {
    if (faults.commit) throw new Error('the disk is full')
    const records = batch.events.map((event, index) => {
      const read = checkEvent({ ...event, source: event.source ?? 'api' })
      if (!read.ok) throw new Error(`event ${index}: ${read.issues.map(({ message }) => message).join()}`)
      return read.record
    })
    cursor = batch.cursor ?? cursor
    return records.map((record): IngestResult => {
      const before = stored.get(record.id)
      const status = before === undefined ? 'stored' : isSameContent(before, record) ? 'duplicate' : 'conflict'
      if (before === undefined) stored.set(record.id, record)
      counts[status] += 1
      return { source: 'api', id: record.id, status, sequence: 1 }
    })
  }
  const context = (): SourceContext => ({
    name: 'api',
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: (message) => void logged.push(message),
      error: () => undefined,
    },
    clock: platform.clock,
    signal: stop.signal,
    sleep: (ms) =>
      new Promise((resolve) => {
        if (stop.signal.aborted) return resolve(false)
        stop.signal.addEventListener('abort', () => resolve(false))
        sleeping = { ms, wake: resolve }
        onSleep?.()
      }),
    state: {
      get: async (key) => state.get(key),
      set: async (key, value) => void state.set(key, value),
      delete: async (key) => void (key === undefined ? state.clear() : state.delete(key)),
      deleteOlderThan: async () => 0,
      list: async () => [],
    },
  })
  const open = (): void => {
    const client = given.client ?? openHttpClient({ egress, connections: 1 })
    source ??= createPoll({ options: checked, platform, client })
    batches ??= source.read(cursor, context())[Symbol.asyncIterator]()
  }
  const world = {
    platform,
    stored,
    state,
    logged,
    counts,
    faults,
    cursor: () => cursor,
    setCursor: (text: string) => {
      cursor = text
    },
    ids: () => [...stored.keys()],
    data: () => [...stored.values()].map(({ data }) => JSON.parse(String(data)) as unknown),
    /** How long the source sleeps now. */
    sleepsMs: () => sleeping?.ms,
    /**
     * One poll, after as much time as it wants to wait: ends when it waits again. Rejects with its error; the next call then
     * reads anew from the cursor, as the engine does. `crashAfter` kills the process after so many commits.
     */
    async poll({
      crashAfter = Number.POSITIVE_INFINITY,
      onBatch = () => {},
    }: {
      crashAfter?: number
      onBatch?: (batch: SourceBatch) => void
    } = {}) {
      // A reader that is new after a failure waits before it asks.
      let waitsFirst = sleeping !== undefined || (source !== undefined && batches === undefined)
      open()
      const pause = async (): Promise<void> => {
        const { ms, wake } = sleeping!
        sleeping = undefined
        waits = nextWait()
        await platform.advance(ms)
        wake(true)
      }
      const nextWait = (): Promise<'waits'> =>
        new Promise((resolve) => {
          onSleep = () => resolve('waits')
        })
      let waits = nextWait()
      if (sleeping !== undefined) {
        waitsFirst = false
        await pause()
      }
      try {
        for (let commits = 0; ; commits++) {
          if (commits >= crashAfter) return await world.crash()
          const next = batches!.next()
          let found = await Promise.race([next, waits])
          if (found === 'waits' && waitsFirst) {
            waitsFirst = false
            await pause()
            found = await Promise.race([next, waits])
          }
          if (found === 'waits') {
            void next.catch(() => undefined)
            batches = { next: once(next, batches!), return: async () => ({ done: true, value: undefined }) }
            return
          }
          if (found.done === true) throw new Error('the source has ended')
          onBatch(found.value)
          const results = commit(found.value)
          await found.value.settled?.(results)
        }
      } catch (error) {
        batches = undefined
        throw error
      }
    },
    /** The process is killed and started again. */
    async crash() {
      stop.abort()
      const dying = source
      source = undefined
      batches = undefined
      sleeping = undefined
      stop = new AbortController()
      await dying?.close?.()
    },
    stop: () => stop.abort(),
  }
  onTestFinished(() => world.crash())
  return world
}

/** An iterator's `next` that first gives what was asked for already. */
function once<T>(asked: Promise<IteratorResult<T>>, rest: AsyncIterator<T>): () => Promise<IteratorResult<T>> {
  let isGiven = false
  return () => {
    if (isGiven) return rest.next()
    isGiven = true
    return asked
  }
}

/** The message of the error that a poll fails with. */
export async function failing(polled: Promise<unknown>): Promise<string> {
  try {
    await polled
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('the poll did not fail')
}
