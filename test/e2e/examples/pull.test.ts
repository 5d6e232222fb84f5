import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { patient, runExample } from './run-example.ts'

/** The worker of the example; what it has printed so far. */
function startWorker(folder: string, url: string): () => string {
  const child = spawn(process.execPath, [join(folder, 'worker.ts')], { env: { ...process.env, MILLRACE_URL: url } })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  return () => text
}

test('the pull example does what its README says', { timeout: 60_000 }, async () => {
  const readme = textOf('examples/pull/README.md')
  const expected = /```text\n(waiting[^`]+)```/.exec(readme)![1]!
  const published = /-d '(\[[^']+\])'/.exec(readme)![1]!
  const example = await runExample('pull')
  const worker = startWorker(example.folder, example.url)
  await vi.waitFor(() => expect(worker()).toBe('waiting for orders\n'), patient)
  await example.publish(JSON.parse(published))
  await vi.waitFor(() => expect(worker()).toBe(expected), patient)
  const fetched = await fetch(`${example.url}/v1/subscriptions/work/batches`, { method: 'POST' })
  expect(fetched.status).toBe(204)
  expect(await example.stop()).toBe(0)
})
