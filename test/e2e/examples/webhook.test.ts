import { expect, test } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { freePort, runExample } from './run-example.ts'

// S0-26, SEC-17, SEC-19, K8
test('the webhook example does what its README says', { timeout: 60_000 }, async () => {
  const receiverPort = await freePort()
  const example = await runExample('webhook', { RECEIVER_PORT: String(receiverPort) })
  const event: unknown = JSON.parse(/-d '(\{"source.*\})'/.exec(textOf('examples/webhook/README.md'))![1]!)
  expect((await example.publish(event)).status).toBe(201)
  await example.prints(
    /receiver: order\.placed 1 verified as (msg_\S+), but busy\n(?:.*\n)*?receiver: .* verified as \1\n/,
  )
  const forged = await fetch(`http://127.0.0.1:${receiverPort}/orders`, {
    method: 'POST',
    body: '{"type":"order.placed","id":"2"}',
  })
  expect(forged.status).toBe(401)
  await example.prints(/without a valid signature/)
  expect(await example.stop()).toBe(0)
  // SEC-79
  expect(example.text()).not.toContain('whsec_')
})
