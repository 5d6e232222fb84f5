import { expect, test } from 'vitest'
import { openPipeline } from '../pipeline.ts'
import { memory } from '../stores/memory.ts'
import { type CreateContext, defineSink, defineSource, defineStage } from './define.ts'
import { egressSetting } from './egress-rule.ts'
import { schema } from './schema.ts'

const options = schema.strictObject({})
const about = { summary: '', options, example: {} }

// SEC-10
test('a proxy is host and port, and nothing else', () => {
  const read = (proxy: string) => egressSetting.safeParse({ proxy }).data?.proxy
  expect(read('http://smokescreen.internal:4750')).toEqual({ host: 'smokescreen.internal', port: 4750 })
  expect(read('http://[::1]:80/')).toEqual({ host: '::1', port: 80 })
  for (const text of [
    'smokescreen:4750',
    'https://a:1',
    'http://a',
    'http://u:p@a:1',
    'http://a:1/x',
    'http://a:99999',
  ])
    expect(read(text), text).toBeUndefined()
})

/** One of each kind that is made with a context, and what they were given, in order. */
function contextPlugins() {
  const seen: CreateContext[] = []
  const sink = defineSink({
    ...about,
    name: 'one',
    delivers: '',
    create: (_, context) => {
      seen.push(context)
      return { deliver: () => undefined }
    },
  })
  const source = defineSource({
    ...about,
    name: 'two',
    create: (_, context) => {
      seen.push(context)
      return { async *read() {} }
    },
  })
  const stage = defineStage({
    ...about,
    name: 'three',
    create: (_, context) => {
      seen.push(context)
      return { process: () => undefined }
    },
  })
  const plugins = { sources: { s: source() }, subscriptions: { a: { sink: sink(), stages: [{ use: stage() }] } } }
  return { seen, plugins }
}

// S0-52, SEC-14
test('every plug-in is given the rules of egress.allow, and none where the setting is absent', async () => {
  const { seen, plugins } = contextPlugins()
  await (await openPipeline({ store: memory(), egress: { allow: ['crm.internal:8080'] }, ...plugins })).stop()
  await (await openPipeline({ store: memory(), ...plugins })).stop()
  const rule = { kind: 'endpoint', host: 'crm.internal', port: 8080, text: 'crm.internal:8080' }
  expect(seen.map(({ egress }) => egress!.allow)).toEqual([[rule], [rule], [rule], [], [], []])
})

// SEC-16
test('every plug-in is told where the process itself listens', async () => {
  const { seen, plugins } = contextPlugins()
  const own = [{ host: '127.0.0.1', port: 7117 }]
  await (await openPipeline({ store: memory(), ...plugins }, { listening: () => own })).stop()
  expect(seen.map(({ egress }) => egress?.own?.())).toEqual([own, own, own])
})
