import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { stageInputOf } from '../testing/stage-cases.ts'
import { call } from './call.ts'
import { opened } from './stages.test-support.ts'

function folderWith(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-call-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, 'price.ts'), text)
  return directory
}

const module = `
export const withTax = ({ event }: { event: { data: { n: number } } }, own: { rate: number }) =>
  ({ outcome: 'ack', context: { price: event.data.n * own.rate } })
export default () => ({ outcome: 'discard', reason: 'by default' })
`

test('a function of a module is called with the event and the settings', async () => {
  const directory = folderWith(module)
  const named = await opened(call, { module: './price.ts#withTax', settings: { rate: 3 } }, { directory })
  expect(await named.process(stageInputOf())).toEqual({ outcome: 'ack', context: { price: 3 } })
  const byDefault = await opened(call, { module: './price.ts' }, { directory })
  expect(await byDefault.process(stageInputOf())).toMatchObject({ reason: 'by default' })
})

test('a module or function that is not there ends the start with words that say what is', async () => {
  const directory = folderWith(module)
  await expect(opened(call, { module: './price.ts#other' }, { directory })).rejects.toThrow(/no function other/)
  await expect(opened(call, { module: './none.ts' }, { directory })).rejects.toThrow(/loading \.\/none\.ts/)
})
