import { expect, test } from 'vitest'
import { consoleSink } from '../sinks/console.ts'
import { openTestServer, order } from './server.test-support.ts'

const later = '2037-01-01T00:00:00Z'
const soon = () => new Date(Date.now() + 86_400_000).toISOString()

test('an event may be delayed in plain JSON, structured, binary, in a batch and in a stream, and every wire shows it', async () => {
  const { publish, call } = await openTestServer()
  const time = soon()
  const structured = { specversion: '1.0', ...order('2'), notbefore: time }
  const binary = { 'ce-specversion': '1.0', 'ce-id': '4', 'ce-source': 'shop', 'ce-type': 'a', 'ce-notbefore': time }
  const answers = [
    await publish(order('1', { notBefore: time })),
    await publish(structured, 'application/cloudevents+json'),
    await publish({ ...order('3'), specversion: '1.0', notBefore: time }, 'application/cloudevents+json'),
    await publish('{}', 'application/json', binary),
    await publish([order('5', { notBefore: time })]),
    await publish(`${JSON.stringify(order('6', { notbefore: time }))}\n`, 'application/x-ndjson'),
  ]
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 200, 200])
  await answers[5]!.text()
  const { events } = (await (await call('/v1/events')).json()) as { events: Record<string, unknown>[] }
  expect(events.map((event) => event['notbefore'])).toEqual(Array.from({ length: 6 }, () => time))
})

test('a time that is none, or more than a year ahead, is refused with what is wrong', async () => {
  const { publish, pipeline } = await openTestServer()
  for (const [notBefore, words] of [
    ['5m', 'notBefore is not RFC 3339'],
    [later, 'notBefore is more than a year ahead'],
  ] as const) {
    const answer = await publish(order('1', { notBefore }))
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain(words)
  }
  expect(pipeline.store.head()).toBe(0)
})

test('what is only emitted cannot be delayed: it is not taken, and counted', async () => {
  const { pipeline } = await openTestServer({
    subscriptions: { live: { sink: consoleSink({}), guarantee: 'best-effort' } },
  })
  expect(pipeline.emit({ source: 'shop', id: '1', type: 'a.b', notBefore: soon() })).toBe(false)
  expect(pipeline.stats().emitted).toMatchObject({ emitted: 1, invalid: 1 })
})
