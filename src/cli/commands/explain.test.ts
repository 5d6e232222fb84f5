import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { createMemoryIo } from '../io.ts'
import { main } from '../main.ts'

test('without a running pipeline, too, explain says which where an event did not meet, and on what', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'millrace-explain-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  const where = 'data.total > 100'
  const pipeline = await openPipeline({
    store: sqlite({ path: join(cwd, 'events.db') }),
    subscriptions: { large: { where } },
  })
  await pipeline.publish([
    { source: 'shop', id: '1', type: 'order.placed', data: { total: 7 } },
    { source: 'shop', id: '2', type: 'order.placed', data: { total: 'secret' } },
  ])
  await pipeline.idle()
  const live = await Promise.all([1, 2].map((sequence) => pipeline.explain(sequence, 'large')))
  await pipeline.stop()
  writeFileSync(
    join(cwd, 'millrace.yaml'),
    `store: { type: sqlite, path: events.db }\nserver: { port: 1 }\nsubscriptions: { large: { where: "${where}" } }\n`,
    { mode: 0o600 },
  )
  for (const [index, { deliveries }] of live.entries()) {
    const io = createMemoryIo({ cwd, env: {} })
    await main(['explain', String(index + 1), '--json'], io)
    const [{ reason, checks }] = (JSON.parse(io.stdout) as { deliveries: [{ reason: string; checks: unknown }] })
      .deliveries
    expect({ reason, checks }).toEqual({ reason: deliveries[0]!.reason, checks: deliveries[0]!.checks })
    expect(reason).toMatch(index === 0 ? /^where data.total > 100 did not match: it was false$/ : /^where (?!.*secret)/)
  }
})
