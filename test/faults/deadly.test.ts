import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPipeline, openPipeline, stage } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, test } from 'vitest'
import { run, temporaryFolder, until } from './process.ts'

// G11 S3-22
test.each([
  ['process.exit in a sink', 'exit', 'sink'],
  ['process.abort in a stage', 'abort', 'stage'],
  ['running out of memory in a stage', 'memory', 'stage'],
])(
  '%s: the event that kills the process twice alone becomes a dead letter, and all others are delivered',
  async (_, death, where) => {
    const folder = temporaryFolder()
    let deaths = 0
    for (let hasSurvived = false; !hasSurvived && deaths < 6; ) {
      hasSurvived = (await run('./deadly-process.ts', folder, death, where).ended).code === 0
      if (!hasSurvived) deaths += 1
    }
    // Once among others, where nothing says which of them it was; then twice alone.
    expect(deaths).toBe(3)

    const pipeline = createPipeline({ store: sqlite({ path: join(folder, 'events.db'), readOnly: true }) })
    await pipeline.open()
    const dead = await pipeline.dead('work', { limit: 10 })
    const report = await pipeline.audit()
    await pipeline.stop()
    expect(dead).toMatchObject([
      {
        event: { id: 'deadly' },
        reason: 'quarantined: the process died twice while this delivery ran alone',
      },
    ])
    const delivered = new Set(readFileSync(join(folder, 'delivered'), 'utf8').trimEnd().split('\n'))
    expect(delivered.size).toBe(19)
    expect(delivered).not.toContain('deadly')
    expect(report).toMatchObject({ ok: true, subscriptions: [{ books: { delivered: 19, dead: 1, open: 0 } }] })
  },
)

test('infinite recursion of a stage is a failed attempt: it ends as a dead letter while the process and the others go on', async () => {
  // G11 S3-22
  const recurse = (n: number): number => recurse(n + 1) + 1
  await using pipeline = await openPipeline({
    store: sqlite({ path: join(temporaryFolder(), 'events.db') }),
    subscriptions: {
      work: {
        stages: [stage('step', async ({ event }) => void (event.id === 'deadly' && recurse(0)))],
        retry: { attempts: 3, delays: ['5ms'] },
      },
    },
  })
  await pipeline.publish(
    ['1', 'deadly', '2'].map((id) => ({ source: 'shop', id, type: 'order.placed', data: { text: 'x' } })),
  )
  await until(async () => (await pipeline.subscription('work')).open === 0)
  expect(await pipeline.dead('work', { limit: 10 })).toMatchObject([
    { event: { id: 'deadly' }, attemptCount: 3, error: expect.stringContaining('Maximum call stack') },
  ])
  expect((await pipeline.audit()).subscriptions[0]!.books).toMatchObject({ delivered: 2, dead: 1 })
})
