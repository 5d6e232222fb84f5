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
  const all = expected.reduce((sum, [, count]) => sum + Number(count), 0)
  await vi.waitFor(() => expect(expected.flatMap(([, , name]) => lines(name!))).toHaveLength(all), patient)
  // On a busy machine two come at once, and what comes at once is not torn apart: then the older file has one less.
  const [, rotated, name] = expected.find(([, , file]) => file!.endsWith('.1'))!
  expect([Number(rotated), Number(rotated) - 1]).toContain(lines(name!).length)
  expect(await example.stop()).toBe(0)
  const events = ['ticks.ndjson.1', 'ticks.ndjson'].flatMap(lines).map((line) => JSON.parse(line) as { id: string })
  expect(events.map(({ id }) => id)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9'])
  expect(events.at(-1)).toMatchObject({ source: 'ticks', type: 'tick', subject: 'clock', data: { text: 'tick' } })
})
