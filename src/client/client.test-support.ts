import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { createClient } from './client.ts'
import type { Client, ClientOptions, ClientStats, Fetch } from './types.ts'

/** Short waits: what is shown here does not depend on how long they are. */
const quick = { first: '1ms', most: '5ms', giveUpAfter: '10s' } as const

/** A client that is closed after the test. */
export function testClient(options: ClientOptions): Client {
  const client = createClient({ source: 'shop', retry: quick, ...options })
  onTestFinished(() => client.close({ deadline: '0ms' }))
  return client
}

/** Every event that came in is in one of the places where it can be. */
export function expectBalance(stats: ClientStats): void {
  const { stored, duplicates, conflicts, quarantined, refused, dropped, failed, damaged, waiting, inBuffer } = stats
  const sum = stored + duplicates + conflicts + quarantined + refused + dropped + failed + damaged
  expect(sum + waiting + inBuffer.events).toBe(stats.published + stats.recovered)
}

type Reply = Awaited<ReturnType<Fetch>>

/** An answer as `fetch` gives it. */
export function reply(status: number, body: unknown = {}, headers: Readonly<Record<string, string>> = {}): Reply {
  return new Response(JSON.stringify(body), { status, headers })
}

/** A fetch that does these things first, one for each request, and then what it always does. Keeps the bodies it was given. */
export function scripted(...steps: ((ask: () => Promise<Reply>) => Promise<Reply>)[]) {
  const bodies: { readonly id: string }[][] = []
  const send: Fetch = (url, init) => {
    bodies.push(JSON.parse(init.body) as { id: string }[])
    const ask = (): Promise<Reply> => fetch(url, init)
    return steps.shift()?.(ask) ?? ask()
  }
  return { fetch: send, bodies }
}

/** A failure as Node's fetch throws it. */
export function broken(code: string): Promise<never> {
  return Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code }) }))
}

/** An address of this machine where nobody listens. */
export async function nowhere(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}
