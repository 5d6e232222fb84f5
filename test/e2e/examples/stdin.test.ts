import { expect, test } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { runExample } from './run-example.ts'

test('the stdin example does what its README says', { timeout: 60_000 }, async () => {
  const readme = textOf('examples/stdin/README.md')
  const lines = [.../^printf '%s\\n' (.*) \|$/m.exec(readme)![1]!.matchAll(/'([^']*)'/g)].map(([, line]) => line!)
  expect(lines).toHaveLength(3)
  const example = await runExample('stdin')
  example.input(`${lines.join('\n')}\n`)
  await example.prints(/#1 line\.read \{"total":5\} \(lines\/1-[\w-]{22}\)/)
  const second = /^\S+ (#2 .*)$/m.exec(readme)![1]!
  await example.prints(new RegExp(second.replaceAll(/[{}().]/g, '\\$&')))
  const left = /^(a line of standard input .*) \{/m.exec(readme)![1]!
  await example.prints(new RegExp(left))
  expect(await example.stop()).toBe(0)
})
