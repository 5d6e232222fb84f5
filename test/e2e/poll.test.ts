import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { poll } from 'millrace/sources/poll'
import { sqlite } from 'millrace/stores/sqlite'
import { recordingLog, recordingSink } from 'millrace/testing'
import { expect, onTestFinished, test, vi } from 'vitest'

const patient = { timeout: 20_000, interval: 10 }

// S0-13 S0-65 S0-66
test('a poll that fails shows in health and moves nothing; after a restart it goes on from its cursor', {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-poll-'))
  const rows: unknown[] = [{ id: 1, at: '2026-01-01T00:00:01Z' }, { at: '2026-01-01T00:00:02Z' }]
  const asked: (string | null)[] = []
  const server = createServer(({ url = '/' }, response) => {
    asked.push(new URL(url, 'http://api').searchParams.get('since'))
    response.end(JSON.stringify({ rows }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  })
  const { port } = server.address() as AddressInfo
  const sink = recordingSink()
  const start = () =>
    openPipeline(
      {
        store: sqlite({ path: join(folder, 'events.db') }),
        egress: { allow: [`127.0.0.1:${port}`] },
        sources: {
          rows: poll({
            url: `http://127.0.0.1:${port}/rows`,
            every: '20ms',
            items: '$.rows',
            id: '$.id',
            cursorField: '$.at',
            // One request a poll, so that a stop never falls between two.
            pageSize: 10,
            backoff: { first: '20ms', max: '100ms' },
          }),
        },
        subscriptions: { all: { sink, start: 'beginning' } },
      },
      { log: recordingLog() },
    )
  const first = await start()
  await vi.waitFor(async () => {
    const { loops } = await first.health()
    expect(loops['source rows']!.lastError).toMatch(
      /item \$\.rows\[1\] has no id at \$\.id; nothing of its page was stored/,
    )
  }, patient)
  expect(sink.received).toHaveLength(0)
  rows[1] = { id: 2, at: '2026-01-01T00:00:02Z' }
  await vi.waitFor(() => expect(sink.received).toHaveLength(2), patient)
  await first.stop()

  asked.length = 0
  const second = await start()
  rows.push({ id: 3, at: '2026-01-01T00:00:02Z' })
  await vi.waitFor(() => expect(sink.received).toHaveLength(3), patient)
  await second.stop()
  expect(asked[0]).toBe('2026-01-01T00:00:01Z')
  expect(sink.received.map(({ event }) => event.id)).toEqual(['1', '2', '3'])
})
