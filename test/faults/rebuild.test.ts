import { join } from 'node:path'
import { createPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { createVirtualPlatform } from 'millrace/testing'
import { expect, onTestFinished, test } from 'vitest'
import { run, temporaryFolder } from './process.ts'

/** What a store has of the projection: its version, and every state. */
async function look(folder: string) {
  const { declaration, options } = sqlite({ path: join(folder, 'events.db'), readOnly: true })
  const store = await declaration.open(declaration.options.parse(options), {
    directory: '.',
    platform: createVirtualPlatform(),
  })
  try {
    const ledgers = await store.ledgers()
    const { foldVersion = '' } = ledgers.find(({ subscription }) => subscription === 'sums')!
    const rows = await store.kept('sums', { stage: 'projection', limit: 1000 })
    const states = rows.map(({ value }) => JSON.parse(value!) as { sum: number; count: number })
    return { version: Number(foldVersion.split(' ')[0]), states, head: store.head() }
  } finally {
    await store.close()
  }
}

test('kill -9 at any moment of a rebuild leaves the old state or the new one, whole, and it goes on from there', async () => {
  // S3-14 G9 K9 G13
  const folder = temporaryFolder()
  let published = 0
  let served = 0
  const versions: number[] = []
  const kills = 6
  for (let version = 1; version <= kills; version++) {
    const running = run('./rebuilder.ts', folder, String(version), String(published))
    await running.says('ready')
    // From the first look at the log to long after the switch.
    if (version === 3 || version === 5) await running.says('done')
    else if (version > 1) await new Promise((resolve) => setTimeout(resolve, (version * 37) % 120))
    await running.end('SIGKILL')
    for (const line of running.lines) if (line.startsWith('published ')) published = Number(line.slice(10))
    const { version: found, states, head } = await look(folder)
    versions.push(found)
    expect(found).toBeGreaterThanOrEqual(versions.at(-2) ?? 1)
    if (version === 3 || version === 5) expect(found).toBe(version)
    expect(new Set(states.map(({ sum, count }) => sum / count))).toEqual(new Set([found]))
    const count = states.reduce((sum, state) => sum + state.count, 0)
    expect(count).toBeLessThanOrEqual(head)
    expect(count).toBeGreaterThanOrEqual(found === versions.at(-2) ? served : 20_000)
    served = count
  }
  console.log(`${kills} kills, served versions ${versions.join(' ')}`)
  const last = run('./rebuilder.ts', folder, String(kills + 1), String(published))
  await last.says('done')
  await last.end('SIGTERM')
  const { version, states, head } = await look(folder)
  expect(version).toBe(kills + 1)
  expect(states.reduce((sum, state) => sum + state.sum, 0)).toBe(head * version)
  const pipeline = createPipeline({ store: sqlite({ path: join(folder, 'events.db') }), subscriptions: {} })
  await pipeline.open()
  onTestFinished(() => pipeline.stop())
  const { ok, subscriptions } = await pipeline.audit()
  expect([ok, subscriptions.map(({ name }) => name)]).toEqual([true, ['sums']])
}, 120_000)
