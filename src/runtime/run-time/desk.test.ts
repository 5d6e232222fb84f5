import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { stage } from '../../index.ts'
import { webhook } from '../../sinks/webhook.ts'
import { memory } from '../../stores/memory.ts'
import { openReceiver, order, until, workplace } from './desk.test-support.ts'
import { readStored, writeStored } from './stored.ts'

const acme = 'meta.tenant == "acme"'

describe('subscribe', () => {
  // SEC-18 SEC-24
  test('makes a signed endpoint of its own; its secret is shown once, and then only how it begins', async () => {
    const { url, got } = await openReceiver()
    const pipeline = await workplace().open()
    const made = await pipeline.subscribe('acme', { where: acme, sink: webhook({ url: `${url}/a` }) })
    expect(made).toMatchObject({
      isNew: true,
      subscription: { state: 'running', origin: 'api', version: 1, sink: 'webhook' },
    })
    expect(made.secret).toMatch(/^whsec_/)
    expect(Buffer.from(made.secret!.slice(6), 'base64').length).toBeGreaterThanOrEqual(24)
    await pipeline.publish([order(1), order(2, 'other')])
    await pipeline.idle()
    const [{ body, headers }] = got as [(typeof got)[0]]
    expect(got).toHaveLength(1)
    expect(new Webhook(made.secret!).verify(body, headers as Record<string, string>)).toMatchObject({ id: '1' })
    const { config } = await pipeline.configOf('acme')
    expect(config).toEqual({
      where: acme,
      sink: { type: 'webhook', url: `${url}/a`, secrets: [`${made.secret!.slice(0, 10)}…`] },
    })
    const shown = JSON.stringify([config, await pipeline.subscriptions(), pipeline.stats()])
    expect(shown).not.toContain(made.secret!.slice(6))
    const again = await pipeline.subscribe('acme2', { sink: webhook({ url }) })
    expect(again.secret).not.toBe(made.secret)
  })

  test('changes what it reads and where it sends, and keeps place, counts and open deliveries', async () => {
    const { url, got } = await openReceiver(({ path }) => ({ status: path === '/down' ? 503 : 204 }))
    const pipeline = await workplace().open()
    const config = { where: acme, retry: { delays: ['1h'] }, sink: webhook({ url: `${url}/up` }) }
    const { secret, etag } = await pipeline.subscribe('acme', config)
    await pipeline.publish(order(1))
    await pipeline.idle()
    await pipeline.subscribe('acme', { ...config, sink: webhook({ url: `${url}/down` }) })
    await pipeline.publish(order(2))
    await pipeline.idle()
    expect(await pipeline.subscription('acme')).toMatchObject({ open: 1, counters: { delivered: 1, retries: 1 } })
    const changed = await pipeline.subscribe('acme', {
      match: ['order.*'],
      retry: { delays: ['1ms'] },
      sink: webhook({ url: `${url}/up` }),
    })
    expect(changed).toMatchObject({ isNew: false, subscription: { version: 3 } })
    expect(changed.secret).toBeUndefined()
    expect(changed.etag).not.toBe(etag)
    await pipeline.publish(order(3, 'other'))
    await until(() => got.length === 3)
    expect(got.map(({ path, body }) => [path, (JSON.parse(body) as { id: string }).id])).toEqual([
      ['/up', '1'],
      ['/down', '2'],
      ['/up', '3'],
    ])
    // What was said of a retry stands: it waits for its hour.
    expect(await pipeline.subscription('acme')).toMatchObject({ open: 1, counters: { matched: 3 } })
    // The secret is that of the first answer.
    const { body, headers } = got[2]!
    expect(() => new Webhook(secret!).verify(body, headers as Record<string, string>)).not.toThrow()
    expect((await pipeline.audit()).ok).toBe(true)
  })

  test('is there again after a restart, with its place, state and secret', async () => {
    const { url, got } = await openReceiver()
    const place = workplace()
    const first = await place.open()
    const { secret } = await first.subscribe('acme', { where: acme, sink: webhook({ url, headers: { 'X-Key': 'k' } }) })
    await first.subscribe('off', { sink: webhook({ url }) })
    await first.pause('off')
    await first.publish(order(1))
    await first.idle()
    await first.stop()
    const second = await place.open()
    expect(await second.subscription('off')).toMatchObject({ state: 'paused', origin: 'api', lag: 1 })
    await second.publish(order(2))
    await second.idle()
    expect(got.map(({ body }) => (JSON.parse(body) as { id: string }).id)).toEqual(['1', '2'])
    expect(got[1]!.headers['x-key']).toBe('k')
    expect(() => new Webhook(secret!).verify(got[1]!.body, got[1]!.headers as Record<string, string>)).not.toThrow()
  })

  test('does what the caller expects of the version that is there, or nothing', async () => {
    const pipeline = await workplace().open()
    const config = (n: number) => ({ match: [`t${n}`], sink: { type: 'pull' } })
    await expect(pipeline.subscribe('a', config(1), { ifMatch: '*' })).rejects.toMatchObject({
      code: 'precondition-failed',
    })
    const { etag } = await pipeline.subscribe('a', config(1), { isNew: true })
    await expect(pipeline.subscribe('a', config(2), { isNew: true })).rejects.toMatchObject({
      code: 'precondition-failed',
    })
    const changed = await pipeline.subscribe('a', config(2), { ifMatch: etag })
    await expect(pipeline.subscribe('a', config(3), { ifMatch: etag })).rejects.toMatchObject({
      code: 'precondition-failed',
    })
    await expect(pipeline.unsubscribe('a', { ifMatch: etag })).rejects.toMatchObject({ code: 'precondition-failed' })
    expect((await pipeline.configOf('a')).config).toMatchObject({ match: ['t2'] })
    await pipeline.unsubscribe('a', { ifMatch: changed.etag })
    const again = await pipeline.subscribe('a', config(2))
    expect([etag, changed.etag]).not.toContain(again.etag)
  })

  // SEC-55
  test.each([
    [
      'a command',
      { sink: { type: 'command', command: ['true'] } },
      /sink\.type: there is no sink named "command" \(available/,
    ],
    ['no sink', {}, /this setting is missing/],
    [
      'a stage of a file',
      { stages: [{ use: './x.ts', name: 'x' }], sink: { type: 'pull' } },
      /named only in a configuration file/,
    ],
    ['a stage in code', { stages: [stage('x', () => undefined)], sink: { type: 'pull' } }, /only JSON/],
    [
      'best effort',
      { guarantee: 'best-effort', sink: { type: 'webhook', url: 'https://example.com' } },
      /at-least-once/,
    ],
    [
      'an unknown setting',
      { mach: ['*'], sink: { type: 'pull' } },
      /mach: there is no such setting; did you mean match/,
    ],
    ['what does not fit together', { stages: [], sink: { type: 'sse' } }, /view of the log/],
    ['an address inside', { sink: { type: 'webhook', url: 'http://169.254.169.254/x' } }, /egress rules refuse/],
    ['a bad expression', { where: 'meta.', sink: { type: 'pull' } }, /not a valid expression/],
  ])('refuses %s, and nothing is left of it', async (_, config, problem) => {
    const pipeline = await workplace({ store: memory() }).open()
    const refused = pipeline.subscribe('a', config as never)
    await expect(refused).rejects.toMatchObject({
      code: 'subscription-invalid',
      message: expect.stringMatching(problem) as string,
    })
    expect(await pipeline.subscriptions()).toEqual([])
    expect(await readStored(pipeline.store, 'a')).toBeUndefined()
  })

  test('leaves those of the configuration alone, and one with a ledger does not become a view', async () => {
    const pipeline = await workplace({ subscriptions: { own: { sink: { type: 'pull' } } } }).open()
    const sink = { type: 'pull' }
    expect(await pipeline.subscription('own')).toMatchObject({ origin: 'file' })
    for (const change of [
      pipeline.subscribe('own', { sink }),
      pipeline.unsubscribe('own'),
      pipeline.rotateSecret('own'),
      pipeline.configOf('own'),
    ])
      await expect(change).rejects.toMatchObject({ code: 'state-conflict' })
    await pipeline.subscribe('a', { sink })
    await expect(pipeline.subscribe('a', { sink: { type: 'sse' } })).rejects.toMatchObject({ code: 'state-conflict' })
    await expect(pipeline.rotateSecret('a')).rejects.toMatchObject({ code: 'state-conflict' })
    await expect(pipeline.unsubscribe('nobody')).rejects.toMatchObject({ code: 'subscription-unknown' })
  })

  test('offers pull and sse, too', async () => {
    const pipeline = await workplace().open()
    await pipeline.subscribe('worker', { sink: { type: 'pull' } })
    await pipeline.subscribe('page', { match: ['order.*'], sink: { type: 'sse' } })
    await pipeline.publish(order(1))
    const batch = await pipeline.batches('worker').fetchBatch({})
    expect(batch?.events.map(({ id }) => id)).toEqual(['1'])
    expect(pipeline.view('page').name).toBe('page')
    await pipeline.subscribe('page', { match: ['user.*'], sink: { type: 'sse' } })
    expect(await pipeline.subscription('page')).toMatchObject({ match: ['user.*'], version: 2, origin: 'api' })
    await pipeline.unsubscribe('page')
    expect(() => pipeline.view('page')).toThrow(/no subscription page/)
  })
})

describe('unsubscribe', () => {
  test('forgets it with its ledger; what was under way is not delivered any more', async () => {
    const { url, got } = await openReceiver(() => ({ status: 503 }))
    const place = workplace()
    const pipeline = await place.open()
    await pipeline.subscribe('acme', { retry: { delays: ['50ms'] }, sink: webhook({ url }) })
    await pipeline.publish(order(1))
    await until(() => got.length > 0)
    await pipeline.unsubscribe('acme')
    const seen = got.length
    expect(await pipeline.subscriptions()).toEqual([])
    expect((await pipeline.store.ledgers()).map(({ subscription }) => subscription)).toEqual(['*'])
    await pipeline.subscribe('acme', { sink: webhook({ url }) })
    expect(await pipeline.subscription('acme')).toMatchObject({ start: 1, open: 0, version: 1 })
    await pipeline.idle()
    expect(got.length).toBe(seen)
  })

  test('that a crash cut in half is finished by the next start', async () => {
    const place = workplace()
    const first = await place.open()
    await first.subscribe('a', { sink: { type: 'pull' } })
    const stored = await readStored(first.store, 'a')
    await writeStored(first.store, 'a', { ...stored!, isEnded: true })
    await first.stop()
    const second = await place.open()
    expect(await second.subscriptions()).toEqual([])
    expect((await second.store.ledgers()).map(({ subscription }) => subscription)).toEqual(['*'])
    expect(await readStored(second.store, 'a')).toBeUndefined()
  })
})

describe('a start', () => {
  test('lets the configuration have the name, and shows what it cannot make as disabled, in its place', async () => {
    const place = workplace()
    const first = await place.open()
    await first.subscribe('a', { sink: { type: 'pull' } })
    await first.subscribe('b', { sink: { type: 'pull' } })
    const stored = await readStored(first.store, 'b')
    await writeStored(first.store, 'b', { ...stored!, config: { ...stored!.config, ordering: 'sideways' } })
    await first.publish(order(1))
    await first.stop()
    const second = await place.open({ subscriptions: { a: { match: ['x'], sink: { type: 'pull' } } } })
    expect(await second.subscription('a')).toMatchObject({ origin: 'file', match: ['x'] })
    const broken = await second.subscription('b')
    expect(broken).toMatchObject({
      state: 'disabled',
      origin: 'api',
      reason: expect.stringContaining('ordering') as string,
    })
    await second.publish(order(2))
    await second.subscribe('b', { sink: { type: 'pull' } })
    expect((await second.batches('b').fetchBatch({}))?.events.map(({ id }) => id)).toEqual(['1', '2'])
  })

  test('of many asks for none of their places anew, and an event goes to those that want it', async () => {
    const place = workplace()
    const first = await place.open()
    for (let n = 0; n < 200; n++)
      await first.subscribe(`c${n}`, { where: `meta.tenant == "t${n}"`, sink: { type: 'pull' } })
    await first.stop()
    const second = await place.open()
    await second.publish([order(1, 't7'), order(2, 't8')])
    await second.idle()
    expect((await second.batches('c7').fetchBatch({}))?.events.map(({ id }) => id)).toEqual(['1'])
    expect(await second.batches('c9').fetchBatch({})).toBeUndefined()
    expect((await second.explain(1)).deliveries.map(({ subscription }) => subscription)).toEqual(['c7'])
    expect((await second.explain(1, 'c9')).deliveries).toMatchObject([
      { state: 'filtered', reason: expect.stringContaining('meta.tenant') as string },
    ])
    expect(await second.audit()).toMatchObject({ ok: true, subscriptions: { length: 200 } })
    expect(Object.keys(second.stats().subscriptions)).toHaveLength(200)
  })
})
