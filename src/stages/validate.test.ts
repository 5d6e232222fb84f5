import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { memory } from 'millrace/stores/memory'
import { expect, onTestFinished, test } from 'vitest'
import { createCatalogue } from '../plugin/catalogue.ts'
import { schema as z } from '../plugin/schema.ts'
import { validate } from './validate.ts'

const order = { type: 'object', required: ['total'], properties: { total: { type: 'number' } } }

async function outcomes(stage: ReturnType<typeof validate> | object, directory = '.') {
  await using pipeline = await openPipeline(
    { store: memory(), subscriptions: { crm: { stages: [stage as ReturnType<typeof validate>] } } },
    { directory, catalogue: createCatalogue([validate]) },
  )
  await pipeline.publish([
    { source: 'shop', id: '1', type: 'order.placed', data: { total: 5 } },
    { source: 'shop', id: '2', type: 'order.placed', data: { total: 'secret' } },
  ])
  await pipeline.idle()
  const { delivered, discarded, dead } = (await pipeline.subscription('crm')).counters
  const [letter] = await pipeline.dead('crm', { limit: 5 })
  return { delivered, discarded, dead, error: letter?.error }
}

// S3-08
test('what fits goes on and what does not is a dead letter that says why, without the data', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-validate-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'order.json'), JSON.stringify(order))
  expect(await outcomes({ use: 'validate', schema: './order.json' }, directory)).toEqual({
    delivered: 1,
    discarded: 0,
    dead: 1,
    error: 'the data does not fit the schema: /total must be number',
  })
})

test('what does not fit is discarded when that is asked for', async () => {
  expect(await outcomes(validate({ schema: order, onFailure: 'discard' }))).toMatchObject({
    delivered: 1,
    discarded: 1,
    dead: 0,
  })
})

test('a Standard Schema may answer later', async () => {
  const later = z.object({ total: z.number() }).refine(async () => true)
  expect(await outcomes(validate({ schema: later }))).toMatchObject({ delivered: 1, dead: 1 })
})

test('a schema that stands in the configuration and is none is a problem of the configuration', () => {
  const parsed = validate.declaration.options.safeParse({ schema: { type: 'objet' } })
  expect(parsed.error?.issues).toMatchObject([
    { path: ['schema'], message: expect.stringContaining('schema is invalid') },
  ])
})

test('a schema that cannot be used keeps the pipeline from starting', async () => {
  await expect(outcomes(validate({ schema: './none.json' }))).rejects.toThrow(/stages\[0\]\.schema: there is no file/)
  await expect(outcomes(validate({ schema: { type: 'objet' } }))).rejects.toThrow(/schema is invalid/)
})
