import { createHmac } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { patient, runExample } from './run-example.ts'

// SEC-21, SEC-22
test('the example of incoming webhooks does what its README says', { timeout: 60_000 }, async () => {
  const readme = textOf('examples/webhook-in/README.md')
  const body = /^BODY='(.*)'$/m.exec(readme)![1]!
  const signature = createHmac('sha256', 'an-example-secret').update(body).digest('hex')
  const example = await runExample('webhook-in')
  const send = (path: string, text: string, headers: Record<string, string>) =>
    fetch(`${example.url}${path}`, {
      method: 'POST',
      body: text,
      headers: { 'content-type': 'application/json', ...headers },
    })
  const first = await send('/in/shop', body, { 'x-shop-signature': `sha256=${signature}` })
  expect(first.status).toBe(201)
  expect(await first.json()).toEqual(JSON.parse(/^\{ "id".*\}$/m.exec(readme)![0]))
  const line = /^… (#1 order\.placed .*)$/m.exec(readme)![1]!
  await vi.waitFor(() => expect(example.text()).toContain(line), patient)
  const again = await send('/in/shop', body, { 'x-shop-signature': `sha256=${signature}` })
  expect([again.status, await again.json()]).toEqual([200, expect.objectContaining({ status: 'duplicate' })])
  expect((await send('/in/shop', '{}', { 'x-shop-signature': `sha256=${signature}` })).status).toBe(401)

  const push = '{"ref":"refs/heads/main","repository":{"full_name":"octo/hello"}}'
  const github = {
    'x-github-event': 'push',
    'x-github-delivery': 'd-1',
    'x-hub-signature-256': `sha256=${createHmac('sha256', 'an-example-secret').update(push).digest('hex')}`,
  }
  expect((await send('/in/github', push, github)).status).toBe(201)
  await example.prints(/github\.push/)
  expect(await example.stop()).toBe(0)
  // SEC-79
  expect(example.text()).not.toContain('an-example-secret')
})
