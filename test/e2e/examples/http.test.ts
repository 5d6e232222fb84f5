import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { runExample } from './run-example.ts'

const run = promisify(execFile)

test('the http example is answered as its README says', { timeout: 60_000 }, async () => {
  const readme = textOf('examples/http/README.md')
  const script = /```sh\n(url=.*?)```/s.exec(readme)![1]!.replaceAll(/curl -s/g, "curl -s -w '\\n'")
  const expected = /```text\n(.*?)```/s.exec(readme)![1]!.trim().split('\n')
  const example = await runExample('http')
  const { stdout } = await run('sh', ['-c', script.replace('http://127.0.0.1:7117', example.url)])
  const answers = stdout.split('\n').filter((line) => line !== '')
  expect(answers).toHaveLength(expected.length)
  expected.forEach((line, index) => {
    const [start = '', end = ''] = line.split('…')
    expect(answers[index]!.startsWith(start) && answers[index]!.endsWith(end)).toBe(true)
  })
  for (const type of ['order.placed', 'order.paid', 'order.sent', 'order.closed'])
    await example.prints(new RegExp(`"source":"shop","type":"${type}"`))
  expect(await example.stop()).toBe(0)
})
