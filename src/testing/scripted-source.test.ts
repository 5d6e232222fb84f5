import { expect, test } from 'vitest'
import type { SourceBatch } from '../plugin/source.ts'
import { createSourceContext } from './plugin-context.ts'
import { scriptedSource } from './scripted-source.ts'
import { createVirtualPlatform } from './virtual-platform.ts'

const around = { directory: '.', platform: createVirtualPlatform() }
const batchOf = (...ids: string[]) => ({ events: ids.map((id) => ({ id, type: 't' })) })
const idsOf = (batch: { events: readonly { id: string }[] }) => batch.events.map(({ id }) => id)
async function collect(batches: AsyncIterable<SourceBatch>): Promise<SourceBatch[]> {
  const seen: SourceBatch[] = []
  for await (const batch of batches) seen.push(batch)
  return seen
}

test('a scripted source goes on after the cursor it is given', async () => {
  const use = scriptedSource({ batches: [batchOf('a'), batchOf('b'), batchOf('c')], ends: true })
  const source = use.declaration.create(use.options, around)
  const seen = await collect(source.read('1', createSourceContext()))
  expect(seen.map(idsOf)).toEqual([['b'], ['c']])
  expect(use.reads).toEqual(['1'])
})

test('a scripted source fails once where it is told to', async () => {
  const use = scriptedSource({ batches: [batchOf('a')], failsBefore: [1], ends: true })
  const source = use.declaration.create(use.options, around)
  await expect(collect(source.read(undefined, createSourceContext()))).rejects.toThrow('before batch 1')
  expect(await collect(source.read(undefined, createSourceContext()))).toHaveLength(1)
})

test('a scripted source waits for what is pushed and ends on abort', async () => {
  const use = scriptedSource()
  const source = use.declaration.create(use.options, around)
  const stop = new AbortController()
  const seen: string[][] = []
  const reading = (async () => {
    for await (const batch of source.read(undefined, createSourceContext({ signal: stop.signal }))) {
      seen.push(idsOf(batch))
      stop.abort()
    }
  })()
  use.push(batchOf('late'))
  await reading
  expect(seen).toEqual([['late']])
})
