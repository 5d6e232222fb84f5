import { appendFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runExample } from './run-example.ts'

test('the tail example does what its README says', { timeout: 60_000 }, async () => {
  const example = await runExample('tail')
  const file = (name: string) => join(example.folder, 'logs', name)
  await example.prints(/"subject":"shop.log".*"data":\{"line":"the first line"\}/)
  appendFileSync(file('shop.log'), 'second\n')
  renameSync(file('shop.log'), file('shop.log.1'))
  appendFileSync(file('shop.log.1'), 'late\n')
  appendFileSync(file('shop.log'), 'third\n')
  for (const line of ['second', 'late', 'third'])
    await example.prints(new RegExp(`"subject":"shop.log".*"line":"${line}"`))
  expect(example.text().match(/"type":"tail\.line"/g)).toHaveLength(4)
  expect(await example.stop()).toBe(0)
})
