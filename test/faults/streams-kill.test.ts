import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, test } from 'vitest'
import { run, temporaryFolder, until } from './process.ts'

const kills = 6

// S3-14 G1 G2 G6 G9 K2
test('kill -9 at any moment: every acknowledged version is there, whole, once, and says the same when it is asked again', async () => {
  const folder = temporaryFolder()
  /** Answers by command. */
  const acked = new Map<string, string>()
  for (let round = 0; round < kills; round++) {
    // A little below the last one of each stream: what was not acknowledged comes again with the same id, and more.
    const first = Math.max(0, Math.floor(acked.size / 5) - 4)
    const running = run('./appender.ts', folder, String(first))
    const enough = 120 + ((round * 37) % 100)
    await until(() => running.lines.length >= enough)
    await running.end('SIGKILL')
    for (const line of running.lines) {
      const [command, ...answer] = line.split(' ') as [string, ...string[]]
      const before = acked.get(command)
      if (before !== undefined) expect(answer.join(' ')).toBe(before)
      acked.set(command, answer.join(' '))
    }
  }
  await using pipeline = await openPipeline({
    store: sqlite({ path: join(folder, 'events.db') }),
    streams: ['counter.*'],
  })
  const found = new Map<string, string>()
  for (const lane of [0, 1, 2, 3, 4]) {
    let expected = 0
    let sum = 0
    for await (const { version, event } of pipeline.readStream(`s${lane}`)) {
      expected += 1
      expect(version).toBe(expected)
      const [stream, command, part] = event.id.split('/')
      expect([stream, part]).toEqual([`s${lane}`, String((version - 1) % 2)])
      if (event.type === 'counter.added') sum += event.data as number
      else {
        expect(event.data).toBe(sum)
        found.set(command!, `${stream} ${version} ${sum}`)
      }
    }
    expect(expected % 2).toBe(0)
  }
  const missing = [...acked].filter(([command, answer]) => found.get(command) !== answer)
  console.log(`${kills} kills, ${acked.size} acknowledged commands, ${missing.length} missing`)
  expect(missing).toEqual([])
  expect(acked.size).toBeGreaterThan(kills * 50)
})
