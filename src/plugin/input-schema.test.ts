import { describe, expect, test } from 'vitest'
import { type PipelineConfig, stage } from '../index.ts'
import { memory } from '../stores/memory.ts'
import { testPipeline } from '../testing/kit/test-pipeline.ts'
import { schema } from './schema.ts'

type Stages = NonNullable<NonNullable<PipelineConfig['subscriptions']>[string]['stages']>

async function ends(stages: Stages, ...data: object[]) {
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { work: { stages } } })
  for (const [at, each] of data.entries())
    await pipeline.publish({ source: 's', id: String(at), type: 'order.placed', subject: 'a', data: each })
  await pipeline.idle()
  return (await pipeline.deliveries('work')).map(({ state, reason }) => [state, reason])
}

const input = { type: 'object', required: ['total'], properties: { total: { type: 'number' } } }
const misfit = expect.stringContaining('the data does not fit the schema: ')

// S3-08
describe('a stage that declares its input', () => {
  test('is not called with what an earlier stage made wrong: that is a dead letter', async () => {
    const seen: unknown[] = []
    const spoil = stage('spoil', ({ event }) => ({
      outcome: 'ack',
      event: { data: event.sequence === 1 ? { total: 'much' } : { total: 5 } },
    }))
    const bill = stage('bill', ({ event }) => void seen.push(event.data), { input })
    expect(await ends([spoil, bill], {}, {})).toEqual([
      ['dead', misfit],
      ['delivered', undefined],
    ])
    expect(seen).toEqual([{ total: 5 }])
  })

  test.each([
    ['a function', { name: 'bill', use: () => undefined, input }],
    ['one of the catalogue', { use: 'latest', input }],
    ['a Standard Schema', { name: 'bill', use: () => undefined, input: schema.object({ total: schema.number() }) }],
    [
      'one that answers later',
      { name: 'bill', use: () => undefined, input: schema.any().refine(async (d) => 'total' in d) },
    ],
  ])('may be %s', async (_, entry) => {
    const { latest } = await import('../stages/latest.ts')
    const stages = [entry.use === 'latest' ? { ...entry, use: latest() } : entry] as Stages
    expect(await ends(stages, { total: 1 }, { sum: 1 })).toEqual([
      ['delivered', undefined],
      ['dead', misfit],
    ])
  })

  test('what is no schema stops the start', async () => {
    const wrong = { name: 'bill', use: () => undefined, input: { type: 'objekt' } }
    await expect(ends([wrong])).rejects.toThrow('subscriptions.work.stages[0].input: schema is invalid')
    const missing = { name: 'bill', use: () => undefined, input: './nowhere.json' }
    await expect(ends([missing])).rejects.toThrow('nowhere.json')
  })
})
