import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPipeline, type Pipeline, type PipelineConfig, stage } from 'millrace'
import { defineSink, type Event, schema } from 'millrace/plugin'
import { pull } from 'millrace/sinks/pull'
import { sse } from 'millrace/sinks/sse'
import { memory } from 'millrace/stores/memory'
import { sqlite } from 'millrace/stores/sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '../../src/config/load.ts'
import { nodePlatform } from '../../src/plugin/platform.ts'
import { builtInCatalogue } from '../../src/registry.ts'

const order = { type: 'object', required: ['total'], properties: { total: { type: 'number' } } }
const good = { source: 'shop', id: '1', type: 'order.placed' as const, data: { total: 5 } }
const bad = { source: 'shop', id: '2', type: 'order.placed', data: { total: 'secret-five' } }

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'millrace-schemas-'))
  folders.push(made)
  return made
}

function recorder(): { readonly seen: Event[]; readonly sink: ReturnType<ReturnType<typeof defineSink>> } {
  const seen: Event[] = []
  const made = defineSink({
    name: 'recorder',
    summary: 'Keeps what it gets.',
    options: schema.strictObject({}),
    example: {},
    delivers: 'at least once',
    create: () => ({
      deliver(deliveries) {
        seen.push(...deliveries.map(({ event }) => event))
      },
    }),
  })
  return { seen, sink: made() }
}

interface Line {
  readonly message: string
  readonly facts: unknown
}

function logLines(): { readonly lines: Line[]; readonly log: NonNullable<Parameters<typeof openPipeline>[1]>['log'] } {
  const lines: Line[] = []
  const silent = (): void => undefined
  const warn = (message: string, facts?: unknown): void => void lines.push({ message, facts })
  return { lines, log: { debug: silent, info: silent, warn, error: warn } }
}

function withMode(mode: 'reject' | 'quarantine' | 'warn'): PipelineConfig {
  return { store: memory(), schemas: { 'order.placed': { version: 2, schema: order, mode } } }
}

describe('an event whose type has a schema', () => {
  // S3-08
  test('is stored when it fits, with its version, and refused when it does not', async () => {
    await using pipeline = await openPipeline(withMode('reject'))
    expect(await pipeline.publish(good)).toMatchObject({ status: 'stored', sequence: 1 })
    const refused = await pipeline.publish(bad)
    expect(refused).toMatchObject({
      status: 'refused',
      error: {
        code: 'schema-mismatch',
        message: 'the data does not fit version 2 of order.placed: /total must be number',
      },
    })
    expect(JSON.stringify(refused)).not.toContain('secret-five')
    const [stored] = await pipeline.store.readMany([1])
    expect(stored?.meta).toEqual({ schemaversion: 2 })
    expect(pipeline.stats().published).toMatchObject({ stored: 1, refused: 1 })
    expect(pipeline.store.head()).toBe(1)
  })

  // S3-08
  test('is refused in its place of a batch, and the rest is one commit', async () => {
    await using pipeline = await openPipeline(withMode('reject'))
    const results = await pipeline.publish([bad, good, { ...good, id: '3', type: 'free.type', data: 'anything' }])
    expect(results.map(({ status, sequence }) => [status, sequence])).toEqual([
      ['refused', undefined],
      ['stored', 1],
      ['stored', 2],
    ])
  })

  // S3-08
  test('that does not fit is quarantined once with the original inside, and redriven when the schema allows it', async () => {
    const path = join(folder(), 'events.db')
    const config = (schemaOf: Readonly<Record<string, unknown>>): PipelineConfig => ({
      store: sqlite({ path }),
      schemas: { 'order.placed': { schema: schemaOf, mode: 'quarantine' } },
    })
    const { seen, sink } = recorder()
    {
      await using pipeline = await openPipeline({
        ...config(order),
        subscriptions: { trouble: { match: ['millrace.quarantined'], sink }, all: { sink: recorder().sink } },
      })
      expect(await pipeline.publish(bad)).toMatchObject({ status: 'quarantined', id: '2', sequence: 1 })
      expect(await pipeline.publish({ ...bad, meta: { traceparent: 'x' } })).toMatchObject({
        status: 'quarantined',
        sequence: 1,
      })
      expect(pipeline.stats().published).toMatchObject({ stored: 0, quarantined: 2 })
      await pipeline.idle()
      expect((await pipeline.subscription('all')).counters.matched).toBe(0)
      await expect(pipeline.redriveQuarantined(1)).rejects.toMatchObject({ code: 'schema-mismatch' })
      expect(pipeline.store.head()).toBe(1)
    }
    expect(seen.map(({ type, subject, data }) => ({ type, subject, data }))).toEqual([
      {
        type: 'millrace.quarantined',
        subject: 'order.placed',
        data: {
          type: 'order.placed',
          version: 1,
          problems: [{ path: '/total', message: 'must be number' }],
          event: {
            specversion: '1.0',
            id: '2',
            source: 'shop',
            type: 'order.placed',
            data: { total: 'secret-five' },
            schemaversion: 1,
          },
        },
      },
    ])
    await using pipeline = await openPipeline(config({ type: 'object' }))
    expect(await pipeline.redriveQuarantined(1)).toMatchObject({
      status: 'stored',
      id: '2',
      source: 'shop',
      sequence: 2,
    })
    const [, original] = await pipeline.store.readMany([1, 2])
    expect(original?.data).toEqual(bad.data)
    expect(original?.record.time).toBeUndefined()
    expect(await pipeline.publish(bad)).toMatchObject({ status: 'duplicate', sequence: 2 })
    await expect(pipeline.redriveQuarantined(2)).rejects.toMatchObject({ code: 'state-conflict' })
    await expect(pipeline.redriveQuarantined(99)).rejects.toMatchObject({ code: 'not-found' })
  })

  // S3-08
  test('in mode warn is stored, counted, and said once a minute without its data', async () => {
    const { lines, log } = logLines()
    await using pipeline = await openPipeline(withMode('warn'), { log })
    for (let id = 0; id < 20; id++) await pipeline.publish({ ...bad, id: String(id) })
    expect(pipeline.stats().published).toMatchObject({ stored: 20, warned: 20 })
    expect(lines).toEqual([
      {
        message: 'events of type order.placed do not fit their schema and are stored all the same',
        facts: { type: 'order.placed', version: 2, source: 'shop', stored: 1 },
      },
    ])
  })

  test('must have JSON data', async () => {
    await using pipeline = await openPipeline(withMode('reject'))
    const bytes = { ...good, data: new Uint8Array(3), datacontenttype: 'image/png' }
    expect(await pipeline.publish(bytes)).toMatchObject({ status: 'refused' })
    expect(await pipeline.publish({ ...good, data: undefined })).toMatchObject({
      error: { message: 'the data does not fit version 2 of order.placed: it is missing' },
    })
  })

  // S3-24
  test('is checked against the version it says, and refused when nobody knows that', async () => {
    await using pipeline = await openPipeline({
      store: memory(),
      schemas: {
        'order.placed': [
          { version: 1, schema: { type: 'object', required: ['sum'] } },
          { version: 2, schema: order },
        ],
      },
    })
    const old = { source: 'shop', type: 'order.placed', data: { sum: 5 } }
    expect(await pipeline.publish({ ...old, id: 'a', meta: { schemaversion: 1 } })).toMatchObject({ status: 'stored' })
    expect(await pipeline.publish({ ...old, id: 'b', meta: { schemaversion: '1' } })).toMatchObject({
      status: 'stored',
    })
    expect(await pipeline.publish({ ...old, id: 'c' })).toMatchObject({ status: 'refused' })
    expect(await pipeline.publish({ ...old, id: 'd', meta: { schemaversion: 3 } })).toMatchObject({
      error: { message: expect.stringContaining('is of a version that is not known here (known: 1, 2)') },
    })
  })

  // S3-08
  test('may be declared in code by any Standard Schema, also one that answers later', async () => {
    const unknown: string[] = []
    const later = z.object({ customer: z.string() }).refine(async ({ customer }) => customer !== 'nobody', 'is unknown')
    await using pipeline = await openPipeline({ store: memory(), events: { 'order.placed': later } })
    for (const customer of ['ada', 'nobody', 7]) {
      const { status, error } = await pipeline.publish({
        ...good,
        id: String(customer),
        data: { customer: customer as string },
      })
      unknown.push(`${status} ${error?.message ?? ''}`)
    }
    expect(unknown).toEqual([
      'stored ',
      'refused the data does not fit version 1 of order.placed: it is unknown',
      expect.stringMatching(/^refused .*\/customer /),
    ])
  })

  // G1
  test('is the same fact when it is sent again after a new version was registered', async () => {
    const path = join(folder(), 'events.db')
    for (const [version, status] of [
      [1, 'stored'],
      [2, 'duplicate'],
    ] as const) {
      await using pipeline = await openPipeline({
        store: sqlite({ path }),
        schemas: { 'order.placed': { version, schema: order } },
      })
      expect(await pipeline.publish(good)).toMatchObject({ status })
    }
  })
})

describe('old events', () => {
  const upcast = {
    'order.placed': {
      1: ({ sum }: { sum: number }) => ({ total: sum }),
      2: ({ total }: { total: number }) => ({ total, currency: 'EUR' }),
    },
  }

  // S3-24
  test('are brought to the newest version before filter, stages and sink, and stay as they are in the log', async () => {
    const path = join(folder(), 'events.db')
    {
      await using before = await openPipeline({ store: sqlite({ path }) })
      await before.publish({ ...good, data: { sum: 5 } })
    }
    const latest = recorder()
    const pinned = recorder()
    const filtered = recorder()
    const inStages: unknown[] = []
    await using pipeline = await openPipeline({
      store: sqlite({ path }),
      schemas: { 'order.placed': { version: 3, schema: { type: 'object', required: ['total', 'currency'] } } },
      upcast,
      subscriptions: {
        latest: {
          start: 'beginning',
          stages: [{ use: ({ event }) => void inStages.push(event.data), name: 'look' }],
          sink: latest.sink,
        },
        pinned: { start: 'beginning', schemas: { 'order.placed': 2 }, sink: pinned.sink },
        filtered: { start: 'beginning', where: 'data.currency == "EUR"', sink: filtered.sink },
      },
    })
    await pipeline.publish({ ...good, id: '2', data: { sum: 6 }, meta: { schemaversion: 1 } })
    await pipeline.publish({ ...good, id: '3', data: { total: 7, currency: 'USD' } })
    await pipeline.idle()
    expect(latest.seen.map(({ data }) => data)).toEqual([
      { total: 5, currency: 'EUR' },
      { total: 6, currency: 'EUR' },
      { total: 7, currency: 'USD' },
    ])
    expect(inStages).toEqual(latest.seen.map(({ data }) => data))
    expect(latest.seen.map(({ meta }) => meta['schemaversion'])).toEqual([3, 3, 3])
    expect(pinned.seen.map(({ data }) => data)).toEqual([{ total: 5 }, { total: 6 }, { total: 7, currency: 'USD' }])
    expect(filtered.seen).toHaveLength(2)
    const stored = await pipeline.store.readMany([1, 2])
    expect(stored.map(({ data }) => data)).toEqual([{ sum: 5 }, { sum: 6 }])
  })

  // S3-24
  test('reach clients of a stream and of batches in the same version', async () => {
    await using pipeline = await openPipeline({
      store: memory(),
      upcast: { 'order.placed': { 1: ({ sum }: { sum: number }) => ({ total: sum }) } },
      subscriptions: { live: { sink: sse() }, workers: { sink: pull() } },
    })
    await pipeline.publish({ ...good, data: { sum: 5 }, meta: { schemaversion: 1 } })
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
    const batch = await pipeline.handler(new Request('http://127.0.0.1/v1/subscriptions/workers/batches', post))
    expect(await batch.json()).toMatchObject({ events: [{ data: { total: 5 }, schemaversion: 2 }] })
    const stream = await pipeline.handler(new Request('http://127.0.0.1/v1/subscriptions/live/stream?after=0'))
    const reader = stream.body!.getReader()
    let text = ''
    while (!text.includes('order.placed')) text += new TextDecoder().decode((await reader.read()).value)
    await reader.cancel()
    expect(text).toContain('"data":{"total":5}')
  })

  // S3-24
  test('whose upcaster fails are dead letters as stored, and go on after a redrive with a right one', async () => {
    const path = join(folder(), 'events.db')
    const { seen, sink } = recorder()
    const config = (step: (data: { sum: number }) => unknown): PipelineConfig => ({
      store: sqlite({ path }),
      upcast: { 'order.placed': { 1: step } },
      subscriptions: { crm: { match: ['order.*'], start: 'beginning', sink } },
    })
    const old = { ...good, data: { sum: 5 }, meta: { schemaversion: 1 } }
    {
      let calls = 0
      await using pipeline = await openPipeline(
        config(() => {
          calls += 1
          // The check at the door makes the first call.
          if (calls > 1) throw new Error('no such sum')
          return {}
        }),
      )
      expect(await pipeline.publish(old)).toMatchObject({ status: 'stored' })
      await pipeline.idle()
      const [dead] = await pipeline.dead('crm', { limit: 5 })
      expect(dead?.reason).toBe('bringing order.placed from version 1 to 2 failed: no such sum')
      expect(dead?.event?.data).toBe('{"sum":5}')
    }
    await using pipeline = await openPipeline(config(({ sum }) => ({ total: sum })))
    await pipeline.redrive('crm', { all: true })
    await pipeline.idle()
    expect(seen.map(({ data }) => data)).toEqual([{ total: 5 }])
  })
})

describe('a configuration with schemas', () => {
  async function problems(config: Omit<PipelineConfig, 'store'>, directory = '.'): Promise<string> {
    return openPipeline({ store: memory(), ...config }, { directory }).then(
      async (pipeline) => {
        await pipeline.stop()
        return ''
      },
      (error: Error) => error.message,
    )
  }

  // S3-24
  test('does not start with a hole in the chain of upcasters, and names the missing one', async () => {
    const hole = await problems({
      schemas: { 'order.placed': { version: 4, schema: order } },
      upcast: { 'order.placed': { 1: (data) => data, 3: (data) => data } },
    })
    expect(hole).toContain('the upcaster from version 2 to 3 of order.placed is missing')
  })

  // S3-24
  test('does not start with an upcaster of a type that is not declared beside those that are', async () => {
    const upcast = { 'order.place': { 1: (data: object) => data } }
    const found = await problems({ schemas: { 'order.placed': { schema: order } }, upcast })
    expect(found).toContain(
      'upcast["order.place"]: no schema of this type is registered; did you mean order.placed? (available: order.placed)',
    )
    expect(await problems({ upcast })).toBe('')
  })

  test('does not start with a file that is missing, no JSON or no schema, each said with its place', async () => {
    const directory = folder()
    writeFileSync(join(directory, 'broken.json'), '{\n  "type": \n}')
    writeFileSync(join(directory, 'wrong.json'), '{ "type": "objet" }')
    const found = await problems(
      {
        schemas: {
          a: { schema: './none.json' },
          b: { schema: './broken.json' },
          c: [{ schema: './wrong.json' }],
          d: { schema: { $schema: 'http://json-schema.org/draft-07/schema#' } },
          e: { schema: { type: 'string', requird: [] } },
        },
      },
      directory,
    )
    expect(found).toContain(`schemas.a.schema: there is no file ${join(directory, 'none.json')}`)
    expect(found).toMatch(
      /schemas\.b\.schema: \.\/broken\.json is not valid JSON at line 3, character 1: a value is needed/,
    )
    expect(found).toMatch(/schemas\.c\[0\]\.schema: \.\/wrong\.json: .*type/)
    expect(found).toMatch(/schemas\.d\.schema: only JSON Schema 2020-12/)
    expect(found).toMatch(/schemas\.e\.schema: .*requird/)
  })

  test('does not start with a version twice, an engine type, or a pin that nothing leads to', async () => {
    const found = await problems({
      schemas: { a: [{ schema: order }, { version: 1, schema: order }], 'millrace.own': { schema: order } },
      ...({ events: { a: z.object({}) } } as object),
      subscriptions: { one: { schemas: { b: 1, a: 7 } } },
    })
    expect(found).toContain('schemas.a[1]: version 1 of this type is there already')
    expect(found).toContain('schemas["millrace.own"]: the type of event belongs to the engine')
    expect(found).toContain('events.a: schemas has this type, too')
    expect(found).toContain('subscriptions.one.schemas.b: no schema of this type is registered')
    expect(found).toContain('subscriptions.one.schemas.a: there is no version 7 of a (available: 1)')
  })
})

describe('a configuration file with schemas', () => {
  const yaml = (lines: readonly string[]): string => ['store: { type: memory }', ...lines].join('\n')
  const load = (text: string, directory: string) =>
    loadConfig(
      { text, file: join(directory, 'millrace.yaml') },
      { env: {}, catalogue: builtInCatalogue, platform: nodePlatform },
    )

  // S3-24
  test('names upcasters as modules, beside schemas as files', async () => {
    const directory = folder()
    writeFileSync(join(directory, 'order-2.json'), JSON.stringify(order))
    writeFileSync(join(directory, 'upcasts.mjs'), 'export const toTwo = ({ sum }) => ({ total: sum })')
    const loaded = await load(
      yaml([
        'schemas:',
        '  order.placed: { version: 2, schema: ./order-2.json, mode: quarantine }',
        'upcast:',
        '  order.placed:',
        '    1: { use: "./upcasts.mjs#toTwo" }',
      ]),
      directory,
    )
    const known = loaded.ok ? loaded.plan.schemas.get('order.placed') : undefined
    expect(known?.newest).toBe(2)
    expect(known?.upcasts.get(1)?.({ sum: 4 } as never)).toEqual({ total: 4 })
  })

  test('reports each problem with its line and column', async () => {
    const directory = folder()
    writeFileSync(join(directory, 'upcasts.mjs'), 'export const one = 1')
    const loaded = await load(
      yaml([
        'schemas:',
        '  order.placed: { schema: ./none.json }',
        '  order.paid: { schema: {}, mod: warn }',
        '  order.sent: [{ schema: {} , mode: wran }]',
        'upcast:',
        '  order.placed: { 1: { use: ./upcasts.mjs#one }, 2: { use: ./upcasts.mjs#two }, x: {} }',
      ]),
      directory,
    )
    const found = loaded.ok ? [] : loaded.issues.map(({ line, column, message }) => `${line}:${column} ${message}`)
    expect(found).toEqual([
      `3:27 there is no file ${join(directory, 'none.json')}`,
      '4:29 there is no such setting',
      '5:37 this value cannot stand here',
      '7:29 one of ./upcasts.mjs is not a function',
      '7:60 ./upcasts.mjs has no export named "two"',
      '7:81 the version that it starts from is needed, such as 1',
    ])
  })

  // S3-18
  test('warns of a schema with many optional properties', async () => {
    const properties = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`p${index}`, {}]))
    const loaded = await load(
      yaml([`schemas: { user.changed: { schema: ${JSON.stringify({ type: 'object', properties })} } }`]),
      folder(),
    )
    expect(loaded.ok ? loaded.warnings.map(({ line, message }) => `${line} ${message}`) : []).toEqual([
      '2 version 1 has 30 optional properties: it is probably several kinds of event in one (limits.warnOptional is 20)',
    ])
  })
})

describe('events that stages derive', () => {
  // S3-08
  test('have the version of their schema, and one that does not fit rejects the step', async () => {
    const derive = (total: unknown) => ({
      outcome: 'ack' as const,
      derive: [{ type: 'invoice.made', data: { total } }],
    })
    await using pipeline = await openPipeline({
      store: memory(),
      schemas: { 'invoice.made': { version: 3, schema: order, mode: 'quarantine' } },
      subscriptions: {
        billing: { match: ['order.*'], stages: [stage('bill', ({ event }) => derive(event.data))] },
      },
    })
    await pipeline.publish([
      { ...good, id: 'a', data: 5 },
      { ...good, id: 'b', data: 'five' },
    ])
    await pipeline.idle()
    const [dead] = await pipeline.dead('billing', { limit: 5 })
    expect(dead?.event?.id).toBe('b')
    expect(dead?.error).toContain('/total must be number')
    const derived = (await pipeline.store.read(2, 10)).filter(({ type }) => type === 'invoice.made')
    expect(derived.map(({ id, meta }) => [id, meta])).toEqual([['a/bill/0', { schemaversion: 3 }]])
  })
})

describe('over HTTP', () => {
  const call = async (pipeline: Pipeline, method: string, path: string, body?: unknown) => {
    const request = new Request(`http://127.0.0.1${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const answer = await pipeline.handler(request)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  // S3-08
  test('an event that does not fit is 422 or 202, and in a batch refused in its place', async () => {
    await using pipeline = await openPipeline({
      store: memory(),
      schemas: {
        'order.placed': { schema: order },
        'order.paid': { schema: order, mode: 'quarantine' },
      },
    })
    const refused = await call(pipeline, 'POST', '/v1/events', bad)
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'schema-mismatch', type: '/errors/schema-mismatch', id: '2', source: 'shop' },
    })
    const kept = await call(pipeline, 'POST', '/v1/events', { ...bad, type: 'order.paid' })
    expect(kept).toMatchObject({ status: 202, body: { status: 'quarantined', sequence: 1, durability: 'memory' } })
    const batch = await call(pipeline, 'POST', '/v1/events', [bad, good])
    expect(batch.body['results']).toMatchObject([{ status: 'refused' }, { status: 'stored', sequence: 2 }])
    expect((await call(pipeline, 'POST', '/v1/events', [bad])).status).toBe(422)
    const forged = { source: 'shop', id: 'x', type: 'millrace.quarantined' }
    expect((await call(pipeline, 'POST', '/v1/events', forged)).status).toBe(403)
  })

  test('the events of a pipeline are told as AsyncAPI, types and versions with their schemas', async () => {
    await using pipeline = await openPipeline({
      store: memory(),
      schemas: { 'order.placed': [{ schema: { type: 'object' } }, { version: 2, schema: order }] },
      events: { 'user.joined': z.object({ name: z.string() }), 'order.sent': z.object({}) },
      subscriptions: { live: { match: ['order.*'], sink: sse() } },
    })
    const { status, body } = await call(pipeline, 'GET', '/asyncapi.json')
    expect(status).toBe(200)
    await expect(JSON.stringify(body, undefined, 2)).toMatchFileSnapshot('./schemas.asyncapi.golden.json')
    for (const [, target] of JSON.stringify(body).matchAll(/"\$ref":"#([^"]*)"/g)) {
      const found = target!
        .split('/')
        .slice(1)
        .reduce<unknown>((node, part) => (node as Record<string, unknown>)?.[part], body)
      expect(found, target).toBeDefined()
    }
  })
})

// S3-18
test('events larger than limits.warnSize are stored, counted and said once a minute', async () => {
  const { lines, log } = logLines()
  await using pipeline = await openPipeline({ store: memory(), limits: { warnSize: '1KiB' } }, { log })
  for (const id of ['1', '2']) await pipeline.publish({ ...good, id, data: 'x'.repeat(2000) })
  await pipeline.publish({ ...good, id: '3' })
  expect(pipeline.stats().published).toMatchObject({ stored: 3, large: 2 })
  expect(lines).toHaveLength(1)
  expect(lines[0]?.message).toContain('larger than limits.warnSize')
})
