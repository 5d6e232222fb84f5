import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { patient, runExample } from './run-example.ts'

test('the file example rotates as its README says', { timeout: 60_000 }, async () => {
  const expected = [...textOf('examples/file/README.md').matchAll(/^ +(\d) (ticks\.ndjson\S*)$/gm)]
  expect(expected).toHaveLength(2)
  const example = await runExample('file')
  const lines = (name: string): string[] => readFileSync(join(example.folder, name), 'utf8').trimEnd().split('\n')
  await vi.waitFor(() => {
    for (const [, count, name] of expected) expect(lines(name!)).toHaveLength(Number(count))
  }, patient)
  expect(await example.stop()).toBe(0)
  const events = ['ticks.ndjson.1', 'ticks.ndjson'].flatMap(lines).map((line) => JSON.parse(line) as { id: string })
  expect(events.map(({ id }) => id)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9'])
  expect(events.at(-1)).toMatchObject({ source: 'ticks', type: 'tick', subject: 'clock', data: { text: 'tick' } })
})
