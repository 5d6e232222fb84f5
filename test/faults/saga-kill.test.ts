import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, test } from 'vitest'
import { run, temporaryFolder } from './process.ts'

/** `SAGA_KILLS=1000` is the long run, whose figure stands in bench/README.md. */
const kills = Number(process.env['SAGA_KILLS'] ?? 15)
const stepsOf: Readonly<Record<string, readonly string[]>> = {
  order: ['reserve', 'charge', 'ship'],
  parcel: ['label', 'deliver'],
}

/** What the effects of each saga came to: those that are there at the end, and how often one was had in all. */
function effectsIn(folder: string) {
  const there = new Map<string, Set<string>>()
  let repeated = 0
  for (const line of readFileSync(join(folder, 'effects'), 'utf8').trim().split('\n')) {
    const [what, key, step] = line.split(' ') as [string, string, string]
    const steps = there.get(key) ?? new Set()
    there.set(key, steps)
    if (what === 'undo') steps.delete(step)
    else if (steps.has(step)) repeated += 1
    else steps.add(step)
  }
  return { there, repeated }
}

test('kill -9 at any point: every saga ends with all of its effects or with none, and says so once', {
  timeout: 60_000 + kills * 3000,
}, async () => {
  // S3-13 K3
  const folder = temporaryFolder()
  for (let n = 0; n < kills; n++) {
    const { child, says } = run('./saga-process.ts', folder)
    // One in four may come while the process is opening its store and finds what the one before it left.
    await says(n % 4 === 0 ? 'started' : 'open')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 500))
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
  }
  const last = run('./saga-process.ts', folder, 'finish')
  await last.says('finished')
  expect(await last.ended).toEqual({ code: 0, signal: null })

  const started: string[] = []
  const ends = new Map<string, string[]>()
  await using pipeline = await openPipeline({ store: sqlite({ path: join(folder, 'events.db') }) })
  for (let after = 0; ; ) {
    const page = await pipeline.store.read(after, 1000)
    if (page.length === 0) break
    for (const { type, subject } of page) {
      if (type.endsWith('.placed')) started.push(subject!)
      if (type.startsWith('saga.')) ends.set(subject!, [...(ends.get(subject!) ?? []), type])
    }
    after = page.at(-1)!.sequence
  }
  const { there, repeated } = effectsIn(folder)
  const halfDone = started.filter((key) => {
    const effects = [...(there.get(key) ?? [])].sort()
    const whole = [...stepsOf[key.split('-')[0]!]!].sort()
    const [end, ...more] = ends.get(key) ?? []
    const isRight =
      (end === 'saga.completed' && effects.join() === whole.join()) ||
      (end === 'saga.compensated' && effects.length === 0)
    return !isRight || more.length > 0
  })
  const completed = [...ends.values()].filter(([end]) => end === 'saga.completed').length
  console.log(
    `${kills} kills, ${started.length} sagas: ${completed} completed, ${started.length - completed} compensated, ${repeated} effects repeated, ${halfDone.length} half-done`,
  )
  expect(started.length).toBeGreaterThan(kills)
  expect(completed).toBeGreaterThan(0)
  expect(completed).toBeLessThan(started.length)
  expect(halfDone).toEqual([])
  const report = await pipeline.audit()
  expect(report.subscriptions.flatMap(({ problems }) => problems)).toEqual([])
})
