import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { patient, runExample } from './run-example.ts'

const readme = textOf('examples/iot/README.md')
const said = [...readme.matchAll(/^because: (.*)$/gm)].map(([, reason]) => reason!)

// S1-45, S3-21, G9
test('the iot example does what its README says', { timeout: 60_000 }, async () => {
  const duty = await runExample('iot', {}, 'duty.yaml')
  const example = await runExample('iot', { DUTY_PORT: new URL(duty.url).port })
  const reasonOf = async (sequence: number) => {
    const answer = await fetch(`${example.url}/v1/explain/${sequence}?subscription=summary`)
    return ((await answer.json()) as { deliveries: { reason: string }[] }).deliveries[0]!.reason
  }

  await vi.waitFor(() => expect(existsSync(join(example.folder, 'inbox'))).toBe(true), patient)
  copyFileSync(join(example.folder, 'readings.ndjson'), join(example.folder, 'inbox', 'readings.ndjson'))
  await duty.prints(/device\.hot boiler \{"device":"boiler","celsius":81\.5\} \(sensors\/msg_/)
  const shown = /device\.summary boiler \{.*\}/.exec(readme)![0]
  await vi.waitFor(() => expect(example.text()).toContain(shown), patient)
  await vi.waitFor(() => {
    const [summary, ...more] = readFileSync(join(example.folder, 'summaries.ndjson'), 'utf8').trim().split('\n')
    expect(more).toEqual([])
    expect(JSON.parse(summary!)).toMatchObject({ data: { key: 'boiler', count: 5, sum: 373, min: 68, max: 81.5 } })
  }, patient)
  expect([await reasonOf(4), await reasonOf(5)]).toEqual(said.slice(0, 2))
  const dead = (await (await fetch(`${example.url}/v1/subscriptions/summary/dead`)).json()) as {
    dead: { sequence: number; reason: string }[]
  }
  expect(dead.dead).toMatchObject([{ sequence: 6, reason: /^the data does not fit.*$/m.exec(readme)![0] }])

  const [seventh, sixth] = [...readme.matchAll(/-d '(\{"source.*\})'/g)].map(
    ([, event]) => JSON.parse(event!) as unknown,
  )
  const early = (await (await example.publish(seventh)).json()) as { sequence: number }
  // Counted, once its wait for the sixth is over.
  await vi.waitFor(async () => expect(await reasonOf(early.sequence)).toBe('counted in an aggregate'), patient)
  const late = (await (await example.publish(sixth)).json()) as { sequence: number }
  await vi.waitFor(async () => expect(await reasonOf(late.sequence)).toBe(said[2]), patient)

  expect(await example.stop()).toBe(0)
  expect(await duty.stop()).toBe(0)
  expect(duty.text().match(/device\.hot/g)).toHaveLength(1)
})
