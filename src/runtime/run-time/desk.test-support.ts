import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createCatalogue, openPipeline, type Pipeline, type PipelineConfig, type PipelineOptions } from '../../index.ts'
import { nodePlatform } from '../../plugin/platform.ts'
import { pull } from '../../sinks/pull.ts'
import { sse } from '../../sinks/sse.ts'
import { webhook } from '../../sinks/webhook.ts'
import { sqlite } from '../../stores/sqlite.ts'

/** One request that a receiver got. */
export interface Got {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server that keeps what it gets and answers as told; 204 by default. It ends with the test. */
export async function openReceiver(
  answer: (got: Got) => { readonly status: number; readonly text?: string } = () => ({ status: 204 }),
) {
  const got: Got[] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    const one = { path: request.url ?? '', headers: request.headers, body }
    got.push(one)
    const { status, text } = answer(one)
    response.writeHead(status, text === undefined ? {} : { 'content-type': 'text/plain' }).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, got }
}

/** A folder with a store, and pipelines on it one after the other. */
export function workplace(config: Partial<PipelineConfig> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-desk-'))
  const open: Pipeline[] = []
  const time = { aheadMs: 0 }
  onTestFinished(async () => {
    for (const pipeline of open) await pipeline.stop({ deadline: '1s' })
    rmSync(folder, { recursive: true, force: true })
  })
  const clock = { ...nodePlatform.clock, now: () => Date.now() + time.aheadMs }
  const options: PipelineOptions = {
    directory: folder,
    catalogue: createCatalogue([webhook, pull, sse]),
    platform: { ...nodePlatform, clock },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    env: {},
  }
  return {
    folder,
    file: join(folder, 'events.db'),
    /** How far the wall clock is ahead. */
    time,
    async open(more: Partial<PipelineConfig> = {}, change: PipelineOptions = {}): Promise<Pipeline> {
      const whole = { store: sqlite({ path: 'events.db' }), egress: { allow: ['127.0.0.0/8'] }, ...config, ...more }
      const pipeline = await openPipeline(whole as PipelineConfig, { ...options, ...change })
      open.push(pipeline)
      return pipeline
    },
  }
}

export const order = (id: number | string, tenant = 'acme') => ({
  source: 'shop',
  id: String(id),
  type: 'order.placed',
  meta: { tenant },
  data: { id },
})

/** Waits for what a background loop brings about. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`this did not come true: ${isTrue}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
