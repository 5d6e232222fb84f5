import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openReceiver } from '../../runtime/run-time/desk.test-support.ts'
import { createMemoryIo } from '../io.ts'
import { main } from '../main.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  configure('{}')
})
afterEach(() => rmSync(cwd, { recursive: true }))

const configure = (subscriptions: string): void =>
  writeFileSync(
    join(cwd, 'millrace.yaml'),
    `store: { type: sqlite, path: ./.millrace/events.db }\nserver: { port: 1 }\negress: { allow: [127.0.0.0/8] }\nsubscriptions: ${subscriptions}\n`,
    { mode: 0o600 },
  )

async function millrace(argv: readonly string[], stdin?: string) {
  const io = createMemoryIo({
    cwd,
    env: {},
    ...(stdin !== undefined && { stdin: [Buffer.from(stdin)] as unknown as AsyncIterable<Uint8Array> }),
  })
  await main(argv, io)
  return { code: io.exitCode, out: io.stdout, err: io.stderr }
}

test('subscriptions put, test, rotate-secret and rm do on a store without a server what a server would do', async () => {
  const { url, got } = await openReceiver(({ path }) => ({ status: path === '/bad' ? 500 : 204 }))
  writeFileSync(join(cwd, 'acme.yaml'), `where: 'meta.tenant == "acme"'\nsink: { type: webhook, url: "${url}/good" }\n`)
  const made = await millrace(['subscriptions', 'put', 'acme', 'acme.yaml'])
  expect(made).toMatchObject({ code: 0, err: '' })
  expect(made.out).toMatch(
    /^Made acme: running, sink webhook, version 1.\nsecret whsec_\S+\nIt is shown here and never again.\n$/,
  )
  expect(await millrace(['subscriptions', 'test', 'acme'])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^ok acme took the test with status 204 in \d+ ms\n$/) as string,
  })
  expect(got[0]!.headers).toHaveProperty('webhook-signature')
  const rotated = await millrace(['subscriptions', 'rotate-secret', 'acme', '--overlap', '1h', '--json'])
  expect(JSON.parse(rotated.out)).toMatchObject({ secret: expect.stringMatching(/^whsec_/) as string })
  const changed = await millrace(
    ['subscriptions', 'put', 'acme', '-', '--json'],
    `{"sink":{"type":"webhook","url":"${url}/bad"}}`,
  )
  expect(JSON.parse(changed.out)).toMatchObject({ subscription: { version: 3 } })
  expect(await millrace(['subscriptions', 'test', 'acme'])).toMatchObject({
    code: 1,
    out: expect.stringContaining('failed acme: status 500') as string,
  })
  const key = readFileSync(join(cwd, '.millrace/secret-key'), 'utf8')
  expect(await millrace(['secrets', 'rotate-key'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('1 subscriptions') as string,
  })
  expect(readFileSync(join(cwd, '.millrace/secret-key'), 'utf8')).not.toBe(key)
  // The store is only read here, and nothing of it has to be decrypted.
  const listed = await millrace(['subscriptions', '--json'])
  expect(JSON.parse(listed.out)).toMatchObject({
    subscriptions: [{ name: 'acme', state: 'running', origin: 'api', sink: 'webhook' }],
  })
  expect(await millrace(['audit'])).toMatchObject({ code: 0 })
  expect(await millrace(['subscriptions', 'rm', 'acme'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('Ended acme') as string,
  })
  expect(JSON.parse((await millrace(['subscriptions', '--json'])).out || '{"subscriptions":[]}')).toEqual({
    subscriptions: [],
  })
  expect(await millrace(['subscriptions', 'rm', 'acme'])).toMatchObject({ code: 1 })
})

test('what is wrong is said with its place, and a file that cannot be read is wrong use', async () => {
  const wrong = await millrace(['subscriptions', 'put', 'acme', '-'], 'sink: { type: command, command: [id] }')
  expect([wrong.code, wrong.err]).toEqual([
    1,
    expect.stringMatching(/sink.type: a subscription.*cannot have the sink command.*webhook/s) as string,
  ])
  expect(await millrace(['subscriptions', 'put', 'acme', 'nothing.yaml'])).toMatchObject({ code: 2 })
  expect(await millrace(['subscriptions', 'put', 'acme', '-'], '{')).toMatchObject({ code: 2 })
})

test('check --against-store does not take them for retired, and says when the configuration uses their name', async () => {
  await millrace(['subscriptions', 'put', 'acme', '-'], 'sink: { type: pull }')
  const { code, out } = await millrace(['check', '--against-store'])
  expect([code, out]).toEqual([0, expect.stringContaining('nothing changes for its deliveries') as string])
  configure('{ acme: { sink: { type: pull } } }')
  expect(await millrace(['check', '--against-store'])).toMatchObject({
    code: 1,
    out: expect.stringMatching(/problem subscription acme is in the configuration, and one of this name/) as string,
  })
})
