import { expect, test } from 'vitest'
import { projection } from '../index.ts'
import { defineSink } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import { serverPlan, serverSchema } from '../plugin/server-schema.ts'
import { pull } from '../sinks/pull.ts'
import { sse } from '../sinks/sse.ts'
import { tokenHash } from './auth.ts'
import { routes } from './contract.ts'
import { adminToken, as, openTestServer } from './server.test-support.ts'

const token = (name: string, payload: 'full' | 'masked') => ({
  name,
  hash: tokenHash(`${name}-token`),
  scopes: ['ingest', 'read', 'admin'] as const,
  payload,
})
const tokens = [token('plain', 'masked'), token('all', 'full')]
const { mask } = serverPlan(serverSchema.parse({ mask: ['data.card', 'meta.ip'] }))

const answering = (outcome: 'reject' | 'retry') =>
  defineSink({
    name: `${outcome}ing`,
    summary: 'Answers what it is told.',
    delivers: 'Nothing.',
    options: schema.strictObject({}),
    example: {},
    create: () => ({ deliver: () => [{ outcome, reason: 'status 400', detail: { excerpt: 'canary-said' } }] }),
  })({})

const seen = projection('seen', {
  match: ['account.opened'],
  initial: { card: '' },
  key: ({ subject }) => subject ?? '',
  fold: (_state, { data }) => data as { card: string },
})

async function opened() {
  const server = await openTestServer(
    {
      streams: ['account.*'],
      subscriptions: {
        seen,
        live: { sink: sse() },
        template: { sink: sse(), payload: { paid: '#root.data.card', from: '$root.meta' } },
        work: { sink: pull() },
        sent: { sink: answering('reject') },
        picky: { where: 'data.card == "other"', sink: pull() },
        keyed: { sink: answering('retry'), ordering: 'key', orderBy: 'data.card' },
      },
    },
    { tokens, mask },
  )
  const order = {
    source: 's',
    type: 'account.opened',
    subject: 'a',
    data: { card: 'canary-4111' },
    meta: { ip: 'canary-ip' },
  }
  await server.publish(
    ['1', '2'].map((id) => ({ id, ...order })),
    undefined,
    as('all-token'),
  )
  await expect.poll(async () => (await server.pipeline.subscription('sent')).counters.dead).toBe(2)
  const { id: replay } = await server.pipeline.replay('sent', { from: 1 })
  return { ...server, replay }
}

/** What a placeholder of a path stands for here. */
const valuesOf = (replay: string): Readonly<Record<string, readonly string[]>> => ({
  sequence: ['1', '2'],
  stream: ['a'],
  name: ['seen', 'live', 'template', 'work', 'sent', 'picky', 'keyed'],
  id: [replay],
  stage: ['projection'],
  key: ['a'],
  code: ['forbidden'],
})

function pathsOf(path: string, values: Readonly<Record<string, readonly string[]>>): string[] {
  const found = /\{(\w+)\}/.exec(path)
  if (found === null) return [path]
  const [whole, name] = found as unknown as [string, string]
  return (values[name] ?? []).flatMap((value) => pathsOf(path.replace(whole, value), values))
}

/** Reads what comes within a moment: streams do not end. */
async function textOf(answer: Response): Promise<string> {
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) return answer.text()
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes('event: account.opened')) text += (await reader.read()).value
  await reader.cancel()
  return text
}

// SEC-53
test('no route of a reader shows what is masked, in any answer', async () => {
  const { call, replay } = await opened()
  const asked: Record<string, string[]> = { plain: [], all: [] }
  const read = async (name: string, method: string, path: string, body?: string) => {
    const headers = { ...as(`${name}-token`), ...(body !== undefined && { 'content-type': 'application/json' }) }
    const query = path.endsWith('/stream') ? '?after=0' : ''
    const answer = await call(path + query, { method, headers, ...(body !== undefined && { body }) })
    const text = await textOf(answer)
    if (/canary-|4111/.test(text)) asked[name]!.push(`${method} ${path}`)
    return answer.status
  }
  const values = valuesOf(replay)
  const gets = Object.values(routes).filter(({ method, path }) => method === 'GET' && path.startsWith('/v1/'))
  for (const name of ['plain', 'all']) {
    for (const { path } of gets) for (const each of pathsOf(path, values)) await read(name, 'GET', each)
    await read(name, 'POST', '/v1/subscriptions/sent/replay', JSON.stringify({ from: 1, dryRun: true }))
    await read(name, 'POST', '/v1/subscriptions/work/batches', '{}')
  }
  expect(asked['plain']).toEqual([])
  // All others show it to who is shown all, so there was something to hide.
  expect(asked['all']!.toSorted()).toEqual(
    [
      'GET /v1/events',
      'GET /v1/events/1',
      'GET /v1/events/2',
      'GET /v1/events/1/deliveries',
      'GET /v1/events/2/deliveries',
      'GET /v1/streams/a',
      'GET /v1/subscriptions/sent/dead',
      'GET /v1/subscriptions/seen/state/projection',
      'GET /v1/subscriptions/seen/state/projection/a',
      'GET /v1/subscriptions/live/stream',
      'GET /v1/subscriptions/template/stream',
      'GET /v1/explain/1',
      'GET /v1/explain/2',
      'POST /v1/subscriptions/sent/replay',
      'POST /v1/subscriptions/work/batches',
    ].toSorted(),
  )
})

test('a batch and what a stage keeps are refused to who is not shown all, with what to do; a stream is masked', async () => {
  const { call } = await opened()
  const fetchAs = (name: string) =>
    call('/v1/subscriptions/work/batches', {
      method: 'POST',
      headers: { ...as(name), 'content-type': 'application/json' },
      body: '{}',
    })
  const refused = await fetchAs('plain-token')
  expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toEqual([
    403,
    'the token plain is not shown all content of events, and a batch cannot be masked: use a token with payload: full',
  ])
  expect((await fetchAs(adminToken)).status).toBe(403)
  expect((await fetchAs('all-token')).status).toBe(201)
  const state = await call('/v1/subscriptions/seen/state/projection/a')
  expect(state.status).toBe(403)
  expect(await state.text()).toContain('who shows no token is not shown all content')
  const stream = await textOf(await call('/v1/subscriptions/live/stream?after=0', { headers: as('plain-token') }))
  expect(stream).toContain('"data":{"card":"***"}')
})
