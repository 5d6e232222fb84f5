import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCatalogue, openPipeline, type PipelineConfig, stage } from 'millrace'
import { pull } from 'millrace/sinks/pull'
import { sqlite } from 'millrace/stores/sqlite'
import { recordingSink } from 'millrace/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMemoryIo } from '../io.ts'
import { main } from '../main.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-check-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

async function check(subscriptions: string, ...more: string[]) {
  const text = `store: { type: sqlite, path: events.db }\nserver: { port: 1 }\nsubscriptions: ${subscriptions}\n`
  writeFileSync(join(cwd, 'millrace.yaml'), text, { mode: 0o600 })
  const io = createMemoryIo({ cwd, env: {} })
  await main(['check', '--against-store', ...more], io)
  return { code: io.exitCode, out: io.stdout, err: io.stderr }
}

const retries = () => recordingSink({ outcomes: () => ({ outcome: 'retry', reason: 'no', delayMs: 3_600_000 }) })

/** Three events, all waiting for a retry in `crm` after its stage `enrich`, all delivered in `print`. */
async function fill(more: PipelineConfig['subscriptions'] = {}): Promise<void> {
  const pipeline = await openPipeline({
    store: sqlite({ path: join(cwd, 'events.db') }),
    subscriptions: {
      crm: { stages: [stage('enrich', () => undefined)], sink: retries() },
      print: { sink: recordingSink() },
      ...more,
    },
  })
  await pipeline.publish(
    ['a', 'b', 'c'].map((id) => ({ source: 'shop', id, type: id === 'c' ? 'user.left' : 'order.placed', data: {} })),
  )
  await pipeline.idle()
  await pipeline.stop()
}

function saveStage(): void {
  writeFileSync(join(cwd, 'stage.mjs'), 'export default () => undefined\n')
}

test('before there is a store, there is nothing to compare with', async () => {
  const { code, out } = await check('{ print: { sink: { type: console } } }')
  expect([code, out.split('\n')[1]]).toEqual([
    0,
    `ok there is no store yet (${join(cwd, 'events.db')}): the first start makes it`,
  ])
})

test('what a changed configuration does to each subscription is said, and only what strands deliveries is a problem', async () => {
  // S1-73
  await fill()
  saveStage()
  const same = await check(
    '{ crm: { stages: [{ use: ./stage.mjs, name: enrich }], sink: { type: console } }, print: { sink: { type: console } } }',
  )
  expect([same.code, same.out.split('\n').slice(1)]).toEqual([
    0,
    [
      'note subscription crm the sink is console (was recording): 3 open deliveries go there',
      `ok ${join(cwd, 'events.db')}: 1 change`,
      '',
    ],
  ])
  const changed = await check('{ crm: { match: [order.*], sink: { type: console } }, late: { start: beginning } }')
  expect([changed.code, changed.out.split('\n').slice(1)]).toEqual([
    0,
    [
      'note subscription crm reads order.* from any source (was * from any source) from event 4 on; 1 open delivery that it would not take any more stays and is delivered',
      'warning subscription crm stage enrich is gone: 3 open deliveries have done it; they keep its context and go on with the sink',
      'note subscription crm the sink is console (was recording): 3 open deliveries go there',
      'note subscription late is new: it begins after event 0',
      'warning subscription print is not in the configuration: it keeps its place after event 3 and holds back retention until it is back or dropped (millrace subscriptions drop NAME)',
      `ok ${join(cwd, 'events.db')}: 5 changes`,
      '',
    ],
  ])
})

test('a subscription that leaves with open deliveries, and a stage that is renamed under them, are problems', async () => {
  // S1-73
  await fill()
  const gone = await check('{ print: { sink: { type: console } } }')
  expect([gone.code, gone.out.split('\n').slice(1)]).toEqual([
    1,
    [
      'problem subscription crm is not in the configuration: 3 open deliveries and 0 events not yet examined stay undelivered; it keeps its place after event 3 and holds back retention until it is back or dropped (millrace subscriptions drop NAME)',
      `failed ${join(cwd, 'events.db')}: 1 problem`,
      '',
    ],
  ])
  saveStage()
  const renamed = await check(
    '{ crm: { stages: [{ use: ./stage.mjs, name: improve }], sink: { type: console } }, print: { sink: { type: console } } }',
    '--json',
  )
  expect(renamed.code).toBe(1)
  expect(JSON.parse(renamed.out)).toMatchObject({
    ok: false,
    issues: [],
    changes: [
      { subscription: 'crm', kind: 'stages', severity: 'problem' },
      { subscription: 'crm', kind: 'stages', severity: 'note' },
      { subscription: 'crm', kind: 'sink', severity: 'note' },
    ],
  })
})

test('a name that somebody gave to a subscription while the pipeline ran is a problem', async () => {
  const pipeline = await openPipeline(
    { store: sqlite({ path: join(cwd, 'events.db') }) },
    { catalogue: createCatalogue([pull]), directory: cwd },
  )
  await pipeline.subscribe('customer', { match: ['order.*'], sink: { type: 'pull' } })
  await pipeline.stop()
  expect(await check('{ other: {} }')).toMatchObject({ code: 0 })
  const { code, out } = await check('{ customer: {} }')
  expect(code).toBe(1)
  expect(out).toContain('problem subscription customer is in the configuration, and one of this name was made')
})

test('the store is only read, also while it is open elsewhere', async () => {
  await fill()
  const pipeline = await openPipeline({ store: sqlite({ path: join(cwd, 'events.db') }) })
  const { code, out } = await check('{ print: {}, new: {} }')
  expect(code).toBe(0)
  expect(out).toContain('subscription new is new: it begins after event 3')
  expect((await pipeline.subscriptions()).map(({ name }) => name).sort()).toEqual(['crm', 'print'])
  await pipeline.stop()
})

test('a wrong configuration is not compared, and a damaged store is an error', async () => {
  await fill()
  const wrong = await check('7')
  expect([wrong.code, wrong.out.split('\n').length]).toEqual([1, 3])
  writeFileSync(join(cwd, 'events.db'), 'this is no database, and long enough to be looked at'.repeat(100))
  rmSync(join(cwd, 'events.db-wal'), { force: true })
  const damaged = await check('{}')
  expect([damaged.code, damaged.err]).toEqual([1, expect.stringMatching(/^error store-(foreign|corrupt|unopenable)/)])
})
