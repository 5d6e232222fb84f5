import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, test } from 'vitest'

const publisher = fileURLToPath(new URL('./publisher.ts', import.meta.url))

interface Run {
  readonly child: ChildProcess
  /** Acknowledged events, id → sequence. */
  readonly acked: Map<string, number>
  until(count: number): Promise<void>
}

function start(folder: string, from: number, acked: Map<string, number>): Run {
  const child = spawn(process.execPath, ['--conditions=millrace-source', publisher, folder, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let rest = ''
  let wake: () => void = () => undefined
  child.stdout!.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [id, sequence] = line.split(':') as [string, string]
      acked.set(id, Number(sequence))
    }
    wake()
  })
  child.once('exit', () => wake())
  return {
    child,
    acked,
    async until(count) {
      while (acked.size < count && child.exitCode === null && child.signalCode === null) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      expect(acked.size).toBeGreaterThanOrEqual(count)
    },
  }
}

test('kill -9 at any moment: every acknowledged event is there once, delivered, and the books balance', async () => {
  // S0-13 S0-16 S0-17 G1 G2 G8 G9 G14 K2 K3 K7 K9 K17
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'))
  const acked = new Map<string, number>()
  const kills = 6
  try {
    for (let round = 0; round < kills; round++) {
      // Goes on a little below the last number: what was published and not acknowledged comes again with the same id.
      const highest = Math.max(0, ...[...acked.keys()].map(Number))
      const run = start(folder, Math.max(0, highest - 10), acked)
      await run.until(acked.size + 200 + ((round * 137) % 400))
      run.child.kill(round === kills - 1 ? 'SIGTERM' : 'SIGKILL')
      await once(run.child, 'exit')
    }
    await using pipeline = await openPipeline({ store: sqlite({ path: join(folder, 'events.db') }) })
    const stored = new Map<string, number>()
    let derived = 0
    for (let after = 0; ; ) {
      const page = await pipeline.store.read(after, 1000)
      if (page.length === 0) break
      for (const event of page) {
        if (event.type === 'five.counted') {
          derived += 1
          expect(event.data).toMatchObject({ count: 5 })
          continue
        }
        expect(stored.has(event.id)).toBe(false)
        stored.set(event.id, event.sequence)
      }
      after = page.at(-1)!.sequence
    }
    const missing = [...acked].filter(([id, sequence]) => stored.get(id) !== sequence)
    console.log(`${kills} kills, ${acked.size} acknowledged events, ${missing.length} missing`)
    expect(missing).toEqual([])
    const report = await pipeline.audit()
    expect(report.subscriptions.flatMap(({ problems }) => problems)).toEqual([])
    expect(report.ok).toBe(true)
    const delivered = new Set(readFileSync(join(folder, 'delivered'), 'utf8').split('\n'))
    const all = report.subscriptions.find(({ name }) => name === 'all')!
    // What is not delivered yet is open, and known as such: nothing is lost in between.
    expect(all.books['delivered']! + all.books['open']!).toBe(all.books['examined'])
    const undelivered = [...stored].filter(
      ([id, sequence]) => sequence <= all.books['examined']! && !delivered.has(`k${Number(id) % 5} ${id}`),
    )
    expect(undelivered.length).toBeLessThanOrEqual(all.books['open']!)

    // Each key in the order of the log; what comes again was there before.
    const inOrder = new Set(readFileSync(join(folder, 'in-order'), 'utf8').trimEnd().split('\n'))
    for (let key = 0; key < 5; key++) {
      const ids = [...inOrder].map((line) => line.split(' ')).flatMap(([name, id]) => (name === `k${key}` ? [id!] : []))
      const places = ids.map((id) => stored.get(id)!)
      expect(places.length).toBeGreaterThan(10)
      expect(places).toEqual([...places].sort((a, b) => a - b))
    }
    // Each event is counted once: in what was derived, or in what the stage keeps.
    const rest = await pipeline.store.kept('counted', { stage: 'aggregate', limit: 100 })
    const kept = rest.map(({ value }) => (value === null ? 0 : (JSON.parse(value) as { count: number }).count))
    const counted = report.subscriptions.find(({ name }) => name === 'counted')!.books
    expect(5 * derived + kept.reduce((sum, count) => sum + count, 0)).toBe(counted['discarded'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
