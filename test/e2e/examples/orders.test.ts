import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { root, textOf } from '../../repo/files.ts'
import { snippetsIn } from '../../repo/snippets.ts'
import { patient, runExample } from './run-example.ts'

const readme = 'examples/orders/README.md'
const run = promisify(execFile)
const flags = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']

/** A copy of the example, inside the repository, so that packages are found by name. */
function copied(): string {
  mkdirSync(join(root, '.millrace'), { recursive: true })
  const folder = mkdtempSync(join(root, '.millrace', 'example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(root, 'examples/orders'), folder, { recursive: true, filter: (path) => !path.endsWith('.millrace') })
  return folder
}

// S3-13 S0-35
test('the example orders prints what its README says: what was done is taken back in reverse, and can be read', async () => {
  const expected = snippetsIn(readme, textOf(readme)).find(({ language }) => language === 'text')
  const folder = copied()
  const { stdout, stderr } = await run(process.execPath, [...flags, 'shop.ts'], { cwd: folder })
  expect([stdout, stderr]).toEqual([expected!.text, ''])
  const command = ['state', 'orders', 'saga', 'order-2', '--config', 'millrace.yaml', '--json']
  const state = await run(process.execPath, [...flags, join(root, 'bin/millrace.js'), ...command], { cwd: folder })
  expect(JSON.parse(state.stdout)).toMatchObject({
    value: { status: 'compensated', reason: 'charge: the card was declined', results: { reserve: { count: 3 } } },
  })
})

// S3-13
test('as a server, its saga waits for an event that is posted later, and its state is read over HTTP', async () => {
  const { url, publish, prints, stop } = await runExample('orders')
  const state = async () =>
    ((await (await fetch(`${url}/v1/subscriptions/orders/state/saga/o-1`)).json()) as { value?: { status?: string } })
      .value
  const event = (type: string, data: object) => ({ source: 'shop', id: type, type, subject: 'o-1', data })
  await publish(event('order.placed', { chairs: 1, total: 60 }))
  await vi.waitFor(async () => expect(await state()).toMatchObject({ status: 'waiting', step: 'packed' }), patient)
  await publish(event('parcel.packed', {}))
  await vi.waitFor(async () => expect(await state()).toMatchObject({ status: 'completed' }), patient)
  await prints(/^\{.*"type":"order\.completed"/m)
  expect(await stop()).toBe(0)
})

test("the example's own tests pass", async () => {
  const { NODE_OPTIONS: _, ...env } = process.env
  const { stdout } = await run(process.execPath, [...flags, '--test'], { cwd: copied(), env })
  expect(stdout).toMatch(/pass 2\b/)
  expect(stdout).toMatch(/fail 0\b/)
})
