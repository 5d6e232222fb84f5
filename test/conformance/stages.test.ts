import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Saga } from '../../src/core/saga-state.ts'
import type { Json, Stage, StageDeclaration } from '../../src/plugin/index.ts'
import { nodePlatform } from '../../src/plugin/platform.ts'
import { builtIn } from '../../src/registry.ts'
import { loopbackEgress, type StageUnderTest, stageCases, whyStageSkipped } from '../../src/testing/index.ts'
import { createSkips } from './skips.ts'

const registered = builtIn
  .map(({ declaration }) => declaration)
  .filter((declaration): declaration is StageDeclaration => declaration.kind === 'stage')

function stageOf(name: string, options: unknown, directory = '.'): Stage {
  const declaration = registered.find((each) => each.name === name)!
  return declaration.create(declaration.options.parse(options), {
    directory,
    platform: nodePlatform,
    egress: loopbackEgress,
  })
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-stage-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const order = {
  data: '{"id":"o1","total":120,"items":[{"sku":"a"},{"sku":"b"}],"customer":{"id":"c1","email":"a@b.c"}}',
}

/** A stage with these options, whatever surrounds it. */
const plain = (name: string, options: unknown) => (): StageUnderTest => ({
  event: order,
  create: () => stageOf(name, options),
})

function callUnderTest(): StageUnderTest {
  const directory = folder()
  writeFileSync(
    join(directory, 'price.mjs'),
    'export const look = ({ event }) => ({ outcome: "ack", context: { id: event.id } })\n',
  )
  return { event: order, create: () => stageOf('call', { module: './price.mjs#look' }, directory) }
}

function claimCheckUnderTest(): StageUnderTest {
  const directory = folder()
  return { event: order, create: () => stageOf('claim-check', { folder: 'blobs', above: '10B' }, directory) }
}

function enrichUnderTest(): StageUnderTest {
  const into = { into: 'data.customer' }
  return {
    event: order,
    create: async () => {
      const base = await listen((_, response) => response.end('{"tier":"gold"}'))
      return stageOf('enrich', { url: `${base}/customers/{data.customer.id}`, ...into })
    },
    createSilent: async () => stageOf('enrich', { url: `${await listen(() => undefined)}/customers`, ...into }),
  }
}

/** It acknowledges the event of a saga that has completed. */
function sagaUnderTest(): StageUnderTest {
  const saga: Saga = {
    status: 'completed',
    failures: 0,
    isUnderWay: false,
    start: { sequence: 1, source: 'shop', id: 'event-1', type: 'order.placed' },
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:00:01.000Z',
    undo: [],
    results: {},
    signals: {},
    history: [],
  }
  const options = {
    start: 'order.placed',
    by: 'event.type',
    steps: [{ name: 'go', run: () => 1, compensate: () => 1 }],
  }
  return {
    event: order,
    kept: saga as unknown as Json,
    create: () => stageOf('saga', { ...options, completed: 'order.completed' }),
  }
}

const stages: Readonly<Record<string, () => StageUnderTest>> = {
  aggregate: plain('aggregate', { by: 'data.customer.id', count: 3, eventType: 'orders.counted', pass: true }),
  call: callUnderTest,
  'claim-check': claimCheckUnderTest,
  dedupe: plain('dedupe', { by: 'data.id', within: '1h' }),
  delay: plain('delay', { for: '1s' }),
  enrich: enrichUnderTest,
  filter: plain('filter', { when: 'data.total > 100' }),
  latest: plain('latest', { by: 'data.id', version: 'data.total' }),
  map: plain('map', { data: { id: 'data.id' }, type: '"order.seen"', meta: { tier: '"gold"' } }),
  redact: plain('redact', { mask: ['data.customer.email'], remove: ['data.items[*].sku'] }),
  reorder: plain('reorder', { by: 'data.id', sequence: 'data.total', first: 120, wait: '1s' }),
  saga: sagaUnderTest,
  split: plain('split', { list: 'data.items', type: 'order.item' }),
  throttle: plain('throttle', { rate: '1000/s', burst: 100 }),
  validate: plain('validate', { schema: { type: 'object' } }),
}

const skips = createSkips()

test('every registered stage is run through the suite', () => {
  expect(Object.keys(stages)).toEqual(expect.arrayContaining(registered.map(({ name }) => name)))
})

for (const [name, underTest] of Object.entries(stages)) {
  describe(`the ${name} stage`, () => {
    for (const stageCase of stageCases) {
      test(stageCase.promise, async ({ skip }) => {
        const under = { ...underTest(), isPure: registered.find((each) => each.name === name)?.isPure }
        const reason = whyStageSkipped(stageCase, under)
        if (reason !== undefined) {
          skips.add(`the ${name} stage`, stageCase.promise, reason)
          skip(reason)
        }
        await stageCase.run(under)
      })
    }
  })
}
