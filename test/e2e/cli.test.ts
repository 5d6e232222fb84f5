import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createFolder, type Folder, patient } from './cli-process.ts'

const config = `
store: { type: sqlite, path: ./.millrace/events.db }
server: { port: PORT }
egress: { allow: ["127.0.0.1:9"] }
sources: { api: { type: http } }
subscriptions:
  orders: { match: [order.*], sink: { type: file, path: ./orders.ndjson } }
  broken: { match: [user.*], sink: { type: webhook, url: "https://127.0.0.1:9/" }, retry: { attempts: 1 } }
`

let folder: Folder
beforeEach(async () => {
  folder = await createFolder(config)
})
afterEach(() => folder.remove())

const order = { source: 'shop', id: '1', type: 'order.placed', subject: 'order-1', data: { total: 120 } }

async function post(event: unknown): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${folder.port}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  })
  return answer.json()
}

function delivered(): string[] {
  try {
    return readFileSync(join(folder.path, 'orders.ndjson'), 'utf8').trim().split('\n')
  } catch {
    return []
  }
}

test('run takes an event, delivers it, tells its story, and drains on SIGTERM', { timeout: 60_000 }, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  expect(running.text()).toContain(`Millrace runs at http://127.0.0.1:${folder.port}`)
  expect(await post(order)).toMatchObject({ status: 'stored', sequence: 1, durability: 'disk' })
  await vi.waitFor(() => expect(delivered()).toHaveLength(1), patient)

  const [events, story, audit, subscriptions] = await Promise.all([
    folder.millrace(['events', '--json', '--type', 'order.*']),
    folder.millrace(['explain', '1']),
    folder.millrace(['audit']),
    folder.millrace(['subscriptions', '--json']),
  ])
  expect(JSON.parse(events.out)).toMatchObject({ ...order, sequence: '1' })
  expect(story.out).toMatch(/orders: delivered at .* UTC\n {2}✓ match order\.\* matched order\.placed/)
  expect(story.out).toMatch(/broken: not for this subscription\n {2}✗ match user\.\* did not match order\.placed/)
  expect(audit).toMatchObject({ code: 0 })
  expect(audit.out).toContain('✓ orders\n  examined 1 = delivered 1\n')
  expect(audit.out).toContain('✓ broken\n  examined 1 = filtered 1\n')
  const { subscriptions: states } = JSON.parse(subscriptions.out) as { subscriptions: { name: string; lag: number }[] }
  expect(states.map(({ name, lag }) => [name, lag])).toEqual([
    ['broken', 0],
    ['orders', 0],
  ])

  running.child.kill('SIGTERM')
  const { code, out } = await running.ended
  expect(code).toBe(0)
  expect(out).toMatch(/Stopped\. Everything that was acknowledged is in the store\.\n$/)
})

test('after kill -9 what was acknowledged is there, delivered, and the books balance', {
  timeout: 90_000,
}, async () => {
  const first = await folder.start(['run'], 'Ctrl-C stops.')
  const events = Array.from({ length: 500 }, (_, i) => ({ ...order, id: `k${i}` }))
  expect(await post(events)).toMatchObject({ durability: 'disk' })
  first.child.kill('SIGKILL')
  await first.ended
  const second = await folder.start(['run'], 'Ctrl-C stops.')
  await vi.waitFor(() => {
    const ids = new Set(delivered().map((line) => (JSON.parse(line) as { id: string }).id))
    expect(ids.size).toBe(500)
  }, patient)
  expect(await folder.millrace(['audit'])).toMatchObject({ code: 0 })
  second.child.kill('SIGINT')
  expect((await second.ended).code).toBe(0)
})

test('a file of 10,000 lines is published, and again without a second copy', { timeout: 90_000 }, async () => {
  const lines = Array.from({ length: 10_000 }, (_, i) => JSON.stringify({ ...order, id: String(i) }))
  writeFileSync(
    join(folder.path, 'many.ndjson'),
    [...lines.slice(0, 5_000), '{broken', ...lines.slice(5_000), '{"id":"x"}'].join('\n'),
  )
  const straight = await folder.millrace(['publish', 'many.ndjson'])
  expect(straight.out).toMatch(/^10,002 events to the store .*: 10,000 stored, 2 refused/)
  expect(straight.err).toMatch(/^line 5001 refused: it is not valid JSON/)
  expect(straight.err).toMatch(/\nline 10002 refused: .*source/)
  expect(straight.code).toBe(1)

  const running = await folder.start(['run'], 'Ctrl-C stops.')
  const again = await folder.millrace(['publish', '-', '--json'], `[${lines.join(',')}]`)
  expect(JSON.parse(again.out)).toMatchObject({ stored: 0, duplicate: 10_000, refused: 0, complete: true })
  expect(again.code).toBe(0)
  await vi.waitFor(() => expect(delivered()).toHaveLength(10_000), patient)
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('the same id with other content is a conflict, and exits 1', { timeout: 30_000 }, async () => {
  const argv = (data: string) => ['publish', '--source', 's', '--type', 'a.b', '--id', '1', '--data', data]
  expect(await folder.millrace(argv('{"n": 12345678901234567890}'))).toMatchObject({ code: 0 })
  const conflict = await folder.millrace(argv('2'))
  expect(conflict).toMatchObject({ code: 1, out: '' })
  expect(conflict.err).toMatch(/^conflict: another event with this source and id is stored already/)
  const { out } = await folder.millrace(['events', '--json'])
  expect(out).toContain('"data":{"n": 12345678901234567890}')
})

test('a second run on the same store says who has it, and leaves the first alone', { timeout: 60_000 }, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  const second = await folder.millrace(['run'])
  expect(second.code).toBe(1)
  expect(second.err).toMatch(
    new RegExp(
      `^error store-locked: .*millrace\\.yaml runs already, at http://127\\.0\\.0\\.1:${folder.port}: stop that process first`,
    ),
  )
  expect(await post(order)).toMatchObject({ status: 'stored' })
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('beside a process without a reachable server, reading works and writing explains itself', {
  timeout: 60_000,
}, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  await post(order)
  // Another port than the one it runs on: nothing answers there.
  const elsewhere = readFileSync(join(folder.path, 'millrace.yaml'), 'utf8').replace(/port: \d+/, 'port: 1')
  writeFileSync(join(folder.path, 'elsewhere.yaml'), elsewhere)
  const at = ['--config', 'elsewhere.yaml']
  const [events, verify, publish] = await Promise.all([
    folder.millrace(['events', '--json', ...at]),
    folder.millrace(['verify', ...at]),
    folder.millrace(['publish', '--type', 'a.b', '--source', 's', ...at]),
  ])
  expect(JSON.parse(events.out)).toMatchObject(order)
  expect(verify.out).toContain('The store is sound.')
  expect(publish.code).toBe(1)
  expect(publish.err).toMatch(
    /^error store-locked: .*No server answers at http:\/\/127\.0\.0\.1:1: if another port was chosen/,
  )
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('a dry run of a replay counts in the store where no server runs', { timeout: 60_000 }, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  await post(order)
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
  const { code, out, err } = await folder.millrace(['replay', 'orders', '--from', '1', '--dry-run'])
  expect(err).toBe('')
  expect(out).toContain('makes 1 delivery to orders')
  expect(code).toBe(0)
})

test('a port that is taken stops the start and says what to do', { timeout: 60_000 }, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  const other = await createFolder(config.replaceAll('PORT', String(folder.port)))
  try {
    const { code, err } = await other.millrace(['run'])
    expect(code).toBe(1)
    expect(err).toMatch(
      /^error address-unavailable: the server was not started on 127\.0\.0\.1:\d+: another millrace listens there already\. Stop it, or choose another port \(PORT, server\.port\)/,
    )
  } finally {
    await other.remove()
  }
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('dead letters are listed, shown, redriven and discarded from the shell', { timeout: 60_000 }, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  await post({ ...order, type: 'user.left', id: 'u1' })
  // The address is private and not allowed, so the delivery dies at once.
  await vi.waitFor(async () => {
    const { out } = await folder.millrace(['dead', 'list', 'broken', '--json'])
    expect(JSON.parse(out)).toMatchObject({ sequence: 1, event: { id: 'u1' }, attemptCount: 1 })
  }, patient)
  const shown = await folder.millrace(['dead', 'show', 'broken', '1'])
  expect(shown.out).toMatch(/broken: dead: given up at[\s\S]*attempt 1: [\s\S]*"type": "user\.left"/)
  const redriven = await folder.millrace(['dead', 'redrive', 'broken', '1'])
  expect(redriven).toMatchObject({ code: 0, out: '1 dead letter of broken redriven\n' })
  await vi.waitFor(async () => {
    const { out } = await folder.millrace(['dead', 'discard', 'broken', '--all', '--json'])
    expect(JSON.parse(out)).toEqual({ discarded: 1 })
  }, patient)
  expect(await folder.millrace(['dead', 'discard', 'broken', '--all'])).toMatchObject({ code: 1 })
  expect(await folder.millrace(['audit'])).toMatchObject({ code: 0 })
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('tail follows what comes, and pause and resume keep the position', { timeout: 60_000 }, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  await post(order)
  const tail = await folder.start(['tail', '--json'], '"id":"1"')
  expect(await folder.millrace(['pause', 'orders'])).toMatchObject({ code: 0 })
  await post({ ...order, id: '2' })
  await vi.waitFor(() => expect(tail.text()).toContain('"id":"2"'), patient)
  expect((await folder.millrace(['explain', '2', '--subscription', 'orders'])).out).toContain('paused')
  expect(await folder.millrace(['resume', 'orders'])).toMatchObject({ code: 0 })
  await vi.waitFor(() => expect(delivered()).toHaveLength(2), patient)
  tail.child.kill('SIGINT')
  expect((await tail.ended).code).toBe(0)
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('a backup of a running store is a store of its own, and a retired subscription can be dropped', {
  timeout: 60_000,
}, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  await post(order)
  expect(await folder.millrace(['backup', 'copy.db'])).toMatchObject({ code: 0 })
  running.child.kill('SIGTERM')
  await running.ended
  const copy = 'store: { type: sqlite, path: ./copy.db }\nserver: { port: 1 }\nsubscriptions: {}\n'
  writeFileSync(join(folder.path, 'copy.yaml'), copy)
  const events = await folder.millrace(['events', '--json', '--config', 'copy.yaml'])
  expect(JSON.parse(events.out)).toMatchObject(order)
  expect(await folder.millrace(['subscriptions', 'drop', 'orders', '--config', 'copy.yaml'])).toMatchObject({ code: 0 })
  const { out } = await folder.millrace(['subscriptions', '--json', '--config', 'copy.yaml'])
  expect((JSON.parse(out) as { subscriptions: { name: string }[] }).subscriptions.map(({ name }) => name)).toEqual([
    'broken',
  ])
})

test('a running server drops a subscription that left the configuration, and no other', {
  timeout: 60_000,
}, async () => {
  const first = await folder.start(['run'], 'Ctrl-C stops.')
  await post(order)
  first.child.kill('SIGTERM')
  await first.ended
  const file = join(folder.path, 'millrace.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('  broken:', '  mended:'))
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  expect(await folder.millrace(['subscriptions', 'drop', 'broken', '--json'])).toMatchObject({
    code: 0,
    out: '{"dropped":"broken"}\n',
  })
  const refused = await folder.millrace(['subscriptions', 'drop', 'orders'])
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('the configuration still names it')])
  const { out } = await folder.millrace(['subscriptions', '--json'])
  expect((JSON.parse(out) as { subscriptions: { name: string }[] }).subscriptions.map(({ name }) => name)).toEqual([
    'mended',
    'orders',
  ])
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('audit and verify exit 1 when an event was removed by hand', { timeout: 60_000 }, async () => {
  const events = Array.from({ length: 10 }, (_, i) => JSON.stringify({ ...order, id: String(i) }))
  expect(await folder.millrace(['publish'], events.join('\n'))).toMatchObject({ code: 0 })
  expect(await folder.millrace(['audit'])).toMatchObject({ code: 0 })
  const database = new DatabaseSync(join(folder.path, '.millrace/events.db'))
  database.exec('DELETE FROM events WHERE sequence = 5')
  database.close()
  const [audit, verify] = [await folder.millrace(['audit']), await folder.millrace(['verify'])]
  expect(audit.code).toBe(1)
  expect(audit.out).toMatch(/✗ the log has no event 5[\s\S]*The books do not balance\./)
  expect(verify.code).toBe(1)
  expect(verify.out).toContain('The store is damaged.')
})

test('a running server is asked without the variables that only it needs', { timeout: 60_000 }, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  await post(order)
  const file = join(folder.path, 'millrace.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('./orders.ndjson', `"\${ORDERS_FILE}"`))
  expect(JSON.parse((await folder.millrace(['events', '--json'])).out)).toMatchObject(order)
  expect(await folder.millrace(['pause', 'orders'])).toMatchObject({ code: 0 })
  running.child.kill('SIGTERM')
  await running.ended
  const { code, err } = await folder.millrace(['events'])
  expect(code).toBe(1)
  expect(err).toContain('ORDERS_FILE')
})

test('a server that goes away while it is published to loses nothing that was counted', {
  timeout: 60_000,
}, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  const lines = Array.from({ length: 200_000 }, (_, i) => JSON.stringify({ ...order, type: 'x', id: String(i) }))
  writeFileSync(join(folder.path, 'many.ndjson'), lines.join('\n'))
  const publishing = folder.millrace(['publish', 'many.ndjson', '--json'])
  await vi.waitFor(async () => {
    const { out } = await folder.millrace(['events', '--json', '--limit', '1'])
    expect(out).not.toBe('')
  }, patient)
  running.child.kill('SIGKILL')
  await running.ended
  const { code, out, err } = await publishing
  const { stored, complete } = JSON.parse(out) as { stored: number; complete: boolean }
  expect({ code, complete }).toEqual({ code: 1, complete: false })
  expect(JSON.parse(err).error).toMatchObject({ code: 'server-unreachable' })
  expect(JSON.parse(err).error.message).toMatch(/Publish it again to go on: what is stored counts as duplicate\.$/)
  const again = await folder.millrace(['publish', 'many.ndjson', '--json'])
  const second = JSON.parse(again.out) as { stored: number; duplicate: number }
  expect(second.duplicate).toBeGreaterThanOrEqual(stored)
  expect(second.stored + second.duplicate).toBe(200_000)
})

// SEC-81
test('a signal does not open the inspector of a running server', { timeout: 60_000 }, async () => {
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  running.child.kill('SIGUSR1')
  expect(await post(order)).toMatchObject({ status: 'stored' })
  running.child.kill('SIGTERM')
  expect(await running.ended).toMatchObject({ code: 0, err: expect.not.stringContaining('Debugger listening') })
})

// SEC-43
test('an error that nothing handles ends the process with 1, after what was acknowledged is safe', {
  timeout: 60_000,
}, async () => {
  const plugin = `
export default async () => { setTimeout(() => { throw new Error('a bug in a plug-in') }, 10); return { outcome: 'ack' } }
`
  writeFileSync(join(folder.path, 'bug.ts'), plugin)
  const buggy = config
    .replaceAll('PORT', String(folder.port))
    .replace('match: [order.*],', 'match: [order.*], stages: [{ use: ./bug.ts }],')
  writeFileSync(join(folder.path, 'millrace.yaml'), buggy)
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  expect(await post(order)).toMatchObject({ status: 'stored' })
  const { code, err } = await running.ended
  expect(code).toBe(1)
  expect(err).toContain('a bug in a plug-in')
  expect((await folder.millrace(['events', '--json'])).out).toContain('"id":"1"')
})

test('into a pipe the console sink has standard output to itself', { timeout: 60_000 }, async () => {
  writeFileSync(
    join(folder.path, 'millrace.yaml'),
    `${config.replaceAll('PORT', String(folder.port))}  screen: { match: [order.*], sink: { type: console } }\n`,
  )
  const running = await folder.start(['run'], 'Ctrl-C stops.')
  await post(order)
  await vi.waitFor(() => expect(running.text()).toContain('"id":"1"'), patient)
  running.child.kill('SIGTERM')
  const { code, out, err } = await running.ended
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ id: '1', type: 'order.placed' })
  expect(err).toMatch(/Millrace runs at .*Stopping: .*Stopped\. /s)
})
