import { expect, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { patient, runExample } from './run-example.ts'

// S0-31, G27
test('the desktop example says once that there is no desktop, and discards', { timeout: 60_000 }, async () => {
  const readme = textOf('examples/desktop/README.md')
  const noDesktop = { DBUS_SESSION_BUS_ADDRESS: '', XDG_RUNTIME_DIR: '/nowhere' }
  const example = await runExample('desktop', noDesktop)
  await example.prints(/subscription screen shows no notifications and discards its events: /)
  const event: unknown = JSON.parse(/-d '(\{"source.*\})'/.exec(readme)![1]!)
  expect((await example.publish(event)).status).toBe(201)
  await vi.waitFor(async () => {
    const answer = await fetch(`${example.url}/v1/subscriptions/screen`)
    expect(await answer.json()).toMatchObject({ counters: { discarded: 1 } })
  }, patient)
  expect(await example.stop()).toBe(0)
  expect(example.text().match(/shows no notifications/g)).toHaveLength(1)
})
