import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { patient } from '../e2e/cli-process.ts'
import { startQuickstart } from '../e2e/quickstart-process.ts'
import { textOf } from './files.ts'

const readme = textOf('examples/quickstart/README.md')
/** The events that the README publishes. */
const [order, refused] = [...readme.matchAll(/-d '(\{"source.*\})'/g)].map((match) => match[1]!)

test('npm start runs the quickstart, and its README names every subscription with its sink', () => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: { start: string } }
  expect(scripts.start).toMatch(/run examples\/quickstart\/millrace\.yaml$/)
  const { subscriptions } = parse(textOf('examples/quickstart/millrace.yaml')) as {
    subscriptions: Record<string, { sink: { type: string } }>
  }
  const rows = [...readme.matchAll(/^\| `(\w+)` \| `(\w+)` \|/gm)].map(([, name, sink]) => [name, sink])
  expect(rows).toEqual(Object.entries(subscriptions).map(([name, { sink }]) => [name, sink.type]))
})

// S0-26, SEC-17, SEC-19
test('the quickstart does what its README says', { timeout: 60_000 }, async () => {
  const quickstart = await startQuickstart()
  const first = await quickstart.publish(order!)
  expect(first.status).toBe(201)
  expect(await first.json()).toMatchObject({
    id: '1',
    source: 'api',
    status: 'stored',
    sequence: 1,
    durability: 'disk',
  })
  const again = await quickstart.publish(order!)
  expect(again.status).toBe(200)
  expect(await again.json()).toMatchObject({ status: 'duplicate', sequence: 1 })
  await quickstart.prints(/receiver: order\.placed 1 verified as msg_\S+\n/)
  const receipt = join(quickstart.folder, '../../.millrace/receipts/1.txt')
  await vi.waitFor(() => expect(readFileSync(receipt, 'utf8')).toBe('Receipt for order-7: 120.00\n'), patient)

  const line = /^echo '(.*)' >/m.exec(readme)![1]!
  mkdirSync(join(quickstart.folder, 'inbox'), { recursive: true })
  writeFileSync(join(quickstart.folder, 'inbox', 'two.ndjson'), `${line}\n`)
  await quickstart.prints(/receiver: order\.shipped 2 verified/)
  await vi.waitFor(() => expect(existsSync(join(quickstart.folder, 'inbox/.done/two.ndjson'))).toBe(true), patient)

  await quickstart.publish(refused!)
  await vi.waitFor(async () => {
    const dead = await fetch(`${quickstart.url}/v1/subscriptions/receipts/dead`)
    expect(await dead.json()).toMatchObject({ dead: [{ sequence: 3, reason: expect.stringMatching(/65/) as string }] })
  }, patient)

  const forged = await fetch(quickstart.receiverUrl, { method: 'POST', body: '{"type":"order.placed","id":"9"}' })
  expect(forged.status).toBe(401)
  expect(quickstart.text().match(/receiver: order\.placed 1/g)).toHaveLength(1)
  expect(await quickstart.end('SIGINT')).toBe(0)
  // SEC-79
  expect(quickstart.text()).not.toContain('whsec_')
})

test('without development packages it runs, and says that it verifies nothing', { timeout: 60_000 }, async () => {
  const hook =
    "import { registerHooks } from 'node:module';registerHooks({ resolve(name, context, next) { if (name === 'standardwebhooks')" +
    " throw Object.assign(new Error('not installed'), { code: 'ERR_MODULE_NOT_FOUND' }); return next(name, context) } })"
  const quickstart = await startQuickstart({
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}`,
  })
  await quickstart.publish(order!)
  await quickstart.prints(/receiver: order\.placed 1 not verified \(npm install standardwebhooks\) as msg_\S+\n/)
  expect(await quickstart.end('SIGINT')).toBe(0)
})
