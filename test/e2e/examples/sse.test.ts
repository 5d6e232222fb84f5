import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { patient, runExample } from './run-example.ts'

test('the sse example does what its README says', { timeout: 60_000 }, async () => {
  const example = await runExample('sse')
  const { port } = new URL(example.url)
  const client = spawn(process.execPath, [join(example.folder, 'client.ts')], { env: { ...process.env, PORT: port } })
  onTestFinished(() => void client.kill('SIGKILL'))
  let text = ''
  client.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  const order = (id: string, type: string, subject: string, total: number) => ({
    source: 'shop',
    id,
    type,
    subject,
    data: { total },
  })
  await vi.waitFor(() => expect(text).toContain('connected'), patient)
  const answer = await example.publish([
    order('1', 'order.placed', 'order-7', 120),
    order('2', 'order.placed', 'order-8', 5),
    order('3', 'order.shipped', 'order-7', 120),
  ])
  expect(answer.status).toBe(200)
  await vi.waitFor(() => expect(text.split('\n')).toHaveLength(4), patient)
  expect(text).toBe('connected\n#1 order.placed order-7 120\n#3 order.shipped order-7 120\n')
  expect(await example.stop()).toBe(0)
})
