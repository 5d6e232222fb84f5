import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createFolder, type Folder, patient } from './cli-process.ts'

const config = `
store: { type: sqlite, path: ./.millrace/events.db }
server: { port: PORT }
egress: { allow: [127.0.0.0/8, 0.0.0.0/0] }
sources: { api: { type: http } }
subscriptions:
  itself: { sink: { type: webhook, url: "http://127.0.0.1:PORT/v1/events/canary" } }
  metadata: { sink: { type: webhook, url: "http://169.254.169.254/canary" } }
  inside: { sink: { type: webhook, url: "http://localhost.localdomain.invalid:22/canary" } }
`

let folder: Folder
beforeEach(async () => {
  folder = await createFolder(config)
})
afterEach(() => folder.remove())

// SEC-13, SEC-14, SEC-16, G20
test('deliveries to the pipeline itself, to metadata services and to ports of others are dead letters', {
  timeout: 60_000,
}, async () => {
  const check = await folder.millrace(['check'])
  expect(check.code).toBe(0)
  expect(check.out).toMatch(/warning .*subscriptions\.metadata\.sink\.url: .*no rule opens it/)
  expect(check.out).toMatch(/warning .*subscriptions\.inside\.sink\.url: /)

  const running = await folder.start(['run'], 'Ctrl-C stops.')
  expect(running.text()).toMatch(/egress\.allow/)
  const answer = await fetch(`http://127.0.0.1:${folder.port}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"source":"shop","id":"1","type":"order.placed"}',
  })
  expect(answer.status).toBe(201)
  for (const name of ['itself', 'metadata', 'inside'])
    await vi.waitFor(async () => {
      const { out } = await folder.millrace(['dead', 'show', name, '1'])
      expect(out).toContain('attempt 1: ')
      expect(out).toContain('because: the egress rules do not allow the address\n')
      // SEC-79
      expect(out).not.toContain('canary')
    }, patient)
  expect(running.text()).not.toContain('canary')
})
