import { expect, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { patient, runExample } from './run-example.ts'

test('the isolate example does what its README says', { timeout: 60_000 }, async () => {
  const example = await runExample('isolate')
  const bodies = [...textOf('examples/isolate/README.md').matchAll(/-d '(.*)'/g)].map(([, body]) => JSON.parse(body!))
  expect(bodies).toHaveLength(2)
  for (const body of bodies) expect((await example.publish(body)).status).toBe(201)
  await example.prints(/"data":\{"length":13,"way":\[\[0,0\],\[1,1\],\[5,5\],\[9,9\]\]\}/)
  await vi.waitFor(async () => {
    const answer = await fetch(`${example.url}/v1/subscriptions/tours/dead`)
    expect(await answer.text()).toContain('stage shortest timed out')
  }, patient)
  expect(await example.stop()).toBe(0)
})
