import { expect, test } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { freePort, runExample } from './run-example.ts'

const readme = textOf('examples/stages/README.md')

test('the stages example does what its README says', { timeout: 60_000 }, async () => {
  const [order, prices] = [...readme.matchAll(/-d '(.*)'$/gm)].map((match) => JSON.parse(match[1]!) as unknown)
  const example = await runExample('stages', { CUSTOMERS_PORT: String(await freePort()) })
  await example.publish(order)
  const { results } = (await (await example.publish(prices)).json()) as { results: { sequence: number }[] }
  await example.prints(/order\.reminder/)
  await example.prints(/order\.item table/)
  await example.prints(/price\.changed/)
  const said = [...readme.matchAll(/^… (.*)$/gm)].map(([, line]) => line!)
  expect(said).toHaveLength(5)
  const printed = [...example.text().matchAll(/^[\d:.]+ #\d+ (.*)$/gm)].map(([, line]) => line!)
  expect(printed.sort()).toEqual(said.sort())
  const answer = await fetch(`${example.url}/v1/explain/${results[1]!.sequence}?subscription=prices`)
  const { deliveries } = (await answer.json()) as { deliveries: { reason: string }[] }
  expect(deliveries[0]!.reason).toBe(/^because: (.*)$/m.exec(readme)![1])
  expect(await example.stop()).toBe(0)
})
