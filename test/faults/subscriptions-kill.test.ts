import { createCatalogue, openPipeline } from 'millrace'
import { pull } from 'millrace/sinks/pull'
import { webhook } from 'millrace/sinks/webhook'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, test } from 'vitest'
import { run, temporaryFolder } from './process.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }

/** What the lines say is true, and what may or may not be, because its answer never came. */
function expectedOf(lines: readonly string[]) {
  const made = new Map<string, { secret: string; isChanged: boolean }>()
  const ended = new Set<string>()
  const unsure = new Set<string>()
  for (const line of lines) {
    const [what, name, secret] = line.split(' ') as [string, string, string?]
    if (what === 'begin') unsure.add(name)
    if (what === 'made') made.set(name, { secret: secret!, isChanged: false })
    if (what === 'changed') made.get(name)!.isChanged = true
    if (what === 'ending') unsure.add(name)
    if (what === 'made' || what === 'ended') unsure.delete(name)
    if (what === 'ended') ended.add(name)
  }
  return { made, ended, unsure }
}

test('kill -9 at any moment: what was answered is there with its ledger and secret, what was ended is gone, and nothing is in between', async () => {
  const folder = temporaryFolder()
  const lines: string[] = []
  for (let round = 0; round < 4; round++) {
    const child = run('./subscriber.ts', folder, String(round * 1000))
    await child.says(`changed s${round * 1000 + 2 + round}`)
    // Somewhere between two answers: later in each round.
    await new Promise((resolve) => setTimeout(resolve, round * 3))
    await child.end('SIGKILL')
    lines.push(...child.lines)
  }
  const { made, ended, unsure } = expectedOf(lines)
  expect(made.size).toBeGreaterThan(10)
  await using pipeline = await openPipeline(
    { store: sqlite({ path: `${folder}/events.db` }) },
    { directory: folder, catalogue: createCatalogue([webhook, pull]), log: quiet },
  )
  const there = new Map((await pipeline.subscriptions()).map((each) => [each.name, each]))
  for (const [name, { secret, isChanged }] of made) {
    if (unsure.has(name)) continue
    expect(there.has(name), name).toBe(!ended.has(name))
    if (ended.has(name)) continue
    const n = name.slice(1)
    expect(there.get(name)).toMatchObject({ state: 'running', origin: 'api' })
    expect([`b${n}`, ...(isChanged ? [] : [`a${n}`])]).toContain(there.get(name)!.match[0])
    expect(JSON.stringify(await pipeline.configOf(name))).toContain(secret)
  }
  // Nobody else: neither a ledger without its subscription nor the other way round.
  const known = [...made.keys(), ...unsure]
  expect([...there.keys()].filter((name) => !known.includes(name))).toEqual([])
  const ledgers = (await pipeline.store.ledgers())
    .map(({ subscription }) => subscription)
    .filter((name) => name !== '*')
  expect(ledgers.sort()).toEqual([...there.keys()].sort())
  expect([...there.values()].filter(({ state }) => state !== 'running')).toEqual([])
  expect((await pipeline.audit()).ok).toBe(true)
})
