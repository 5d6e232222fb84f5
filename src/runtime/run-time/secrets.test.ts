import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { newSecretKey } from '../../plugin/secret-box.ts'
import { webhook } from '../../sinks/webhook.ts'
import { type Got, openReceiver, order, until, workplace } from './desk.test-support.ts'

/** Every byte of every file of a folder but the key's. */
function bytesOf(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'secret-key')
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')
}

function isSignedWith(secret: string, { body, headers }: Got): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>)
    return true
  } catch {
    return false
  }
}

const signatures = ({ headers }: Got): number => String(headers['webhook-signature']).split(' ').length

describe('secrets at rest', () => {
  // SEC-23 SEC-26
  test('are nowhere readable: neither in the store, its log and its backup, nor header values and addresses', async () => {
    const { url, got } = await openReceiver(() => ({ status: 500, text: 'no' }))
    const place = workplace()
    const pipeline = await place.open()
    const sink = webhook({ url: `${url}/hook-canary-path`, headers: { Authorization: 'Bearer canary-token' } })
    const { secret } = await pipeline.subscribe('acme', { retry: { delays: ['1h'] }, sink })
    const rotated = await pipeline.rotateSecret('acme')
    await pipeline.publish(order(1))
    await until(() => got.length === 1)
    await pipeline.idle()
    await pipeline.store.backup(join(place.folder, 'backup.db'))
    await pipeline.stop()
    const stored = bytesOf(place.folder)
    expect(stored).toContain('acme')
    for (const plain of [secret!.slice(6), rotated.secret.slice(6), 'canary-token', 'hook-canary-path'])
      expect(stored.includes(plain), plain.slice(0, 4)).toBe(false)
    const key = join(place.folder, '.millrace', 'secret-key')
    expect(statSync(key).mode & 0o777).toBe(0o600)
    expect(bytesOf(place.folder)).not.toContain(readFileSync(key, 'utf8').trim())
  })

  // SEC-23
  test('are encrypted anew by a new key, which from then on is the only one', async () => {
    const { url, got } = await openReceiver()
    const place = workplace()
    const key = join(place.folder, '.millrace', 'secret-key')
    const first = await place.open()
    const { secret } = await first.subscribe('acme', { sink: webhook({ url }) })
    const before = readFileSync(key, 'utf8')
    expect(await first.rotateSecretKey()).toEqual({ changed: 1, unreadable: 0 })
    expect(readFileSync(key, 'utf8').trim().split('\n')).toHaveLength(1)
    expect(readFileSync(key, 'utf8')).not.toBe(before)
    await first.stop()
    const second = await place.open()
    await second.publish(order(1))
    await second.idle()
    expect(isSignedWith(secret!, got[0]!)).toBe(true)
  })

  test('may have their key in a variable: the first of several seals, the others only open', async () => {
    const place = workplace()
    const [a, b] = [newSecretKey(), newSecretKey()].map(({ bytes }) => bytes.toString('base64')) as [string, string]
    const open = (text: string) => place.open({}, { env: { MILLRACE_SECRET_KEY: text } })
    const first = await open(a)
    await first.subscribe('acme', { sink: webhook({ url: 'https://example.com/' }) })
    await first.stop()
    const second = await open(`${b} ${a}`)
    expect(await second.rotateSecretKey()).toEqual({ changed: 1, unreadable: 0 })
    await second.stop()
    const third = await open(b)
    expect(await third.subscription('acme')).toMatchObject({ state: 'running' })
    expect(readdirSync(place.folder)).not.toContain('.millrace')
    await third.stop()
    await expect(open('short').then((pipeline) => pipeline.subscription('acme'))).resolves.toMatchObject({
      state: 'disabled',
      reason: expect.stringContaining('MILLRACE_SECRET_KEY') as string,
    })
  })

  test('whose key is lost are not at work and say so; the others are, and a PUT gives new ones', async () => {
    const { url, got } = await openReceiver()
    const place = workplace()
    const first = await place.open()
    await first.subscribe('acme', { sink: webhook({ url }) })
    await first.subscribe('worker', { sink: { type: 'pull' } })
    await first.stop()
    rmSync(join(place.folder, '.millrace'), { recursive: true })
    const second = await place.open()
    expect(await second.subscription('acme')).toMatchObject({
      state: 'disabled',
      reason: expect.stringContaining('key') as string,
    })
    expect(await second.subscription('worker')).toMatchObject({ state: 'running' })
    await second.publish(order(1))
    const again = await second.subscribe('acme', { sink: webhook({ url }) })
    expect(again).toMatchObject({ isNew: false, secret: expect.stringMatching(/^whsec_/) as string })
    await second.idle()
    expect(isSignedWith(again.secret!, got[0]!)).toBe(true)
  })
})

describe('a change of secret', () => {
  // SEC-19
  test('signs with both until the overlap ends by the clock of the store, and then the old one is of no use', async () => {
    const { url, got } = await openReceiver()
    const place = workplace()
    const pipeline = await place.open()
    const { secret: old } = await pipeline.subscribe('acme', { sink: webhook({ url }) })
    const { secret, oldUntil } = await pipeline.rotateSecret('acme', { overlap: '24h' })
    expect(Date.parse(oldUntil)).toBeGreaterThan(Date.now() + 86_000_000)
    const deliver = async (id: number): Promise<Got> => {
      await pipeline.publish(order(id))
      await pipeline.idle()
      return got.at(-1)!
    }
    const during = await deliver(1)
    expect([signatures(during), isSignedWith(old!, during), isSignedWith(secret, during)]).toEqual([2, true, true])
    // No restart and no message in between: the next attempt is made without it.
    place.time.aheadMs = 86_400_001
    await pipeline.publish(order(2))
    await until(() => got.length === 2)
    expect(signatures(got[1]!)).toBe(1)
    expect(signedContent(old!, got[1]!)).toBe(false)
    expect(signedContent(secret, got[1]!)).toBe(true)
    await pipeline.stop()
    // Nor does a later process know it.
    const second = await place.open()
    await until(async () => JSON.stringify(await second.configOf('acme')).includes('until') === false)
    expect((await second.configOf('acme')).config).toMatchObject({ sink: { secrets: [`${secret.slice(0, 10)}…`] } })
  })

  test('takes a secret of the caller, keeps no more than four, and refuses what is none', async () => {
    const pipeline = await workplace().open()
    await pipeline.subscribe('acme', { sink: webhook({ url: 'https://example.com/' }) })
    for (let n = 0; n < 6; n++) await pipeline.rotateSecret('acme')
    const given = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
    expect(await pipeline.rotateSecret('acme', { secret: given })).toMatchObject({ secret: given })
    const { config } = await pipeline.configOf('acme')
    expect((config['sink'] as { secrets: unknown[] }).secrets).toHaveLength(4)
    await expect(pipeline.rotateSecret('acme', { secret: 'short' })).rejects.toMatchObject({
      code: 'subscription-invalid',
    })
    await expect(pipeline.rotateSecret('acme', { overlap: 'soon' })).rejects.toMatchObject({ code: 'bad-request' })
  })

  test('sent back as it is shown leaves secrets and header values as they are', async () => {
    const { url, got } = await openReceiver()
    const pipeline = await workplace().open()
    const { secret } = await pipeline.subscribe('acme', {
      sink: webhook({ url, headers: { 'X-Key': 'k', 'X-Other': 'o' } }),
    })
    const { config } = await pipeline.configOf('acme')
    const changed = { ...config, sink: { ...(config['sink'] as object), headers: { 'X-Key': '…' }, url: `${url}/new` } }
    expect((await pipeline.subscribe('acme', changed as never)).secret).toBeUndefined()
    await pipeline.publish(order(1))
    await pipeline.idle()
    expect(got[0]).toMatchObject({ path: '/new', headers: { 'x-key': 'k' } })
    expect(got[0]!.headers['x-other']).toBeUndefined()
    expect(isSignedWith(secret!, got[0]!)).toBe(true)
  })
})

/** As the receiver would, on the day of the request. */
function signedContent(secret: string, { body, headers }: Got): boolean {
  const at = new Date(Number(headers['webhook-timestamp']) * 1000)
  const expected = new Webhook(secret).sign(String(headers['webhook-id']), at, body)
  return String(headers['webhook-signature']).split(' ').includes(expected)
}

describe('a test delivery', () => {
  test('goes the way of deliveries, signed and marked, and answers what came back; nothing of it is kept', async () => {
    const { url, got } = await openReceiver(({ path }) => ({
      status: path === '/bad' ? 500 : 200,
      text: 'x'.repeat(5000),
    }))
    const pipeline = await workplace().open()
    const { secret } = await pipeline.subscribe('acme', { match: ['none'], sink: webhook({ url }) })
    const answer = await pipeline.testDelivery('acme')
    expect(answer).toMatchObject({ outcome: 'ack', step: 'sink', detail: { status: 200, excerpt: 'x'.repeat(1024) } })
    expect(answer.durationMs).toBeGreaterThanOrEqual(0)
    const [test] = got as [Got]
    expect(isSignedWith(secret!, test)).toBe(true)
    expect(test.headers['webhook-id']).toBe(answer.messageId)
    const event = JSON.parse(test.body) as object
    expect(event).toMatchObject({ type: 'millrace.test', source: 'millrace:/acme', test: true })
    expect(event).not.toHaveProperty('sequence')
    await pipeline.subscribe('acme', { match: ['none'], sink: webhook({ url: `${url}/bad` }) })
    await pipeline.pause('acme')
    expect(await pipeline.testDelivery('acme')).toMatchObject({
      outcome: 'retry',
      reason: 'status 500',
      detail: { status: 500 },
    })
    expect(pipeline.store.head()).toBe(0)
    expect(await pipeline.subscription('acme')).toMatchObject({
      state: 'paused',
      open: 0,
      counters: { matched: 0, attempts: 0, retries: 0 },
      breaker: { failures: 0 },
    })
    await pipeline.subscribe('worker', { sink: { type: 'pull' } })
    await expect(pipeline.testDelivery('worker')).rejects.toMatchObject({ code: 'state-conflict' })
  })

  // SEC-11 SEC-13
  test('of an address that the rules refuse by now says no more than that', async () => {
    const { url, got } = await openReceiver()
    const place = workplace()
    const first = await place.open()
    await first.subscribe('acme', { sink: webhook({ url }) })
    await first.stop()
    const second = await place.open({ egress: { allow: [] } })
    const answer = await second.testDelivery('acme')
    expect(answer).toMatchObject({ outcome: 'reject', reason: 'the egress rules do not allow the address' })
    expect([answer.detail, got.length]).toEqual([undefined, 0])
  })
})
