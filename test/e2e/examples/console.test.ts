import { expect, test } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { runExample } from './run-example.ts'

test('the console example prints what its README says', { timeout: 60_000 }, async () => {
  const readme = textOf('examples/console/README.md')
  const [pretty, json, short] = /```text\n(.*)\n(.*)\n(.*)\n```/.exec(readme)!.slice(1)
  const example = await runExample('console')
  const [, published] = /-d '(\{.*\})'/.exec(readme)!
  expect((await example.publish(JSON.parse(published!))).status).toBe(201)
  await example.prints(/#1 order\.placed/)
  await example.prints(/^\{"specversion"/m)
  await example.prints(/^\{"order"/m)
  expect(await example.stop()).toBe(0)
  const lines = example.text().split('\n')
  const [begin, end] = json!.split('…')
  expect(lines.filter((line) => line.endsWith(pretty!.slice(pretty!.indexOf('#'))))).toHaveLength(1)
  expect(lines.filter((line) => line.startsWith(begin!) && line.endsWith(end!))).toHaveLength(1)
  expect(lines.filter((line) => line === short)).toHaveLength(1)
})
