import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Event } from '../core/event.ts'
import type { Delivery, SinkContext } from '../plugin/sink.ts'
import { file } from './file.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-file-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const context = { clock: { now: () => 1_750_000_000_000, monotonic: () => 0 } } as SinkContext
function deliveries(from: number, count: number): Delivery[] {
  return Array.from({ length: count }, (_, n) => {
    const record = { sequence: from + n, appendedAt: 0, id: String(from + n), source: 's', type: 't', data: '1' }
    return { event: new Event(record), attempt: 1, messageId: 'msg_a', context: {} }
  })
}
function open(options: Parameters<typeof file>[0]) {
  const use = file(options)
  return use.declaration.create(use.declaration.options.parse(use.options), {
    directory: folder,
    platform: undefined as never,
  })
}
const idsIn = async (path: string) =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id)

describe('the sink file', () => {
  it('appends one CloudEvent per line, relative to the configuration, in the order of the calls', async () => {
    const sink = open({ path: './out/events.ndjson' })
    await sink.open?.(context)
    await Promise.all([sink.deliver(deliveries(1, 300), context), sink.deliver(deliveries(301, 300), context)])
    await sink.close?.()
    const again = open({ path: './out/events.ndjson', sync: false })
    expect(await again.deliver(deliveries(601, 1), context)).toBeUndefined()
    await again.close?.()
    expect(await idsIn(join(folder, 'out/events.ndjson'))).toEqual(Array.from({ length: 601 }, (_, n) => String(n + 1)))
  })

  it('rotates', async () => {
    const sink = open({ path: 'e.ndjson', rotate: { size: '1KiB', keep: 100 } })
    for (let n = 0; n < 20; n++) await sink.deliver(deliveries(n, 1), context)
    await sink.close?.()
    const newest = await idsIn(join(folder, 'e.ndjson'))
    const before = await idsIn(join(folder, 'e.ndjson.1'))
    expect(Number(before.at(-1)) + 1).toBe(Number(newest[0]))
  })

  it('asks for another try while the file cannot be written, and goes on when it can', async () => {
    const path = join(folder, 'e.ndjson')
    await mkdir(path)
    const sink = open({ path })
    await expect(sink.open?.(context)).rejects.toThrow(/opening .* to append events failed/)
    const retry = { outcome: 'retry', reason: expect.stringContaining('the file could not be written') }
    expect(await sink.deliver(deliveries(1, 2), context)).toEqual([retry, retry])
    await rm(path, { recursive: true })
    expect(await sink.deliver(deliveries(1, 2), context)).toBeUndefined()
    expect(await idsIn(path)).toEqual(['1', '2'])
    await sink.close?.()
  })
})
