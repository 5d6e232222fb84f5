import { expect, test } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { runExample } from './run-example.ts'

test('the generate example prints what its README says', { timeout: 60_000 }, async () => {
  const expected = [...textOf('examples/generate/README.md').matchAll(/^[\d:.]+ (#\d .*)$/gm)].map(([, line]) => line!)
  expect(expected).toHaveLength(3)
  const example = await runExample('generate')
  await example.prints(/#3 tick/)
  expect(await example.stop()).toBe(0)
  const printed = [...example.text().matchAll(/^[\d:.]+ (#\d .*)$/gm)].map(([, line]) => line)
  expect(printed).toEqual(expected)
})
