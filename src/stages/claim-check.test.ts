import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { StageResult } from '../plugin/stage.ts'
import { stageInputOf } from '../testing/stage-cases.ts'
import { claimCheck } from './claim-check.ts'
import { opened } from './stages.test-support.ts'

function emptyFolder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-claim-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

const large = JSON.stringify({ text: 'ü'.repeat(1000) })
const metaOf = (result: unknown): string => JSON.stringify((result as StageResult).event!.meta)
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((each) =>
    each.isFile() ? [join(each.parentPath, each.name)] : [],
  )

test('large data goes into the folder once, a reference stays in the event, and the data comes back', async () => {
  // S3-18 S4-02
  const folder = emptyFolder()
  const store = await opened(claimCheck, { folder, above: '1KiB' })
  const load = await opened(claimCheck, { folder, mode: 'load' })
  const stored = (await store.process(stageInputOf({ data: large, meta: '{"tenant":"x"}' }))) as StageResult
  expect(stored.event).toEqual({
    data: undefined,
    meta: {
      tenant: 'x',
      dataref: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      datarefsize: 2011,
      datarefjson: true,
    },
  })
  await store.process(stageInputOf({ data: large }))
  expect(filesIn(folder)).toHaveLength(1)
  expect(await load.process(stageInputOf({ data: undefined, meta: metaOf(stored) }))).toEqual({
    outcome: 'ack',
    event: { data: JSON.parse(large), meta: { tenant: 'x' } },
  })
})

test('data that comes again is new again, so that old files can be removed by their time', async () => {
  const folder = emptyFolder()
  const store = await opened(claimCheck, { folder, above: '1KiB' })
  await store.process(stageInputOf({ data: large }))
  const [file] = filesIn(folder)
  utimesSync(file!, 1, 1)
  await store.process(stageInputOf({ data: large }))
  expect(Date.now() - statSync(file!).mtimeMs).toBeLessThan(60_000)
  rmSync(file!)
  await store.process(stageInputOf({ data: large }))
  expect(filesIn(folder)).toEqual([file])
})

test('bytes come back as bytes; small data and events without a reference are left alone', async () => {
  const folder = emptyFolder()
  const store = await opened(claimCheck, { folder, above: '4B' })
  const load = await opened(claimCheck, { folder, mode: 'load' })
  const data = Uint8Array.of(0, 255, 1, 2, 3)
  const stored = await store.process(stageInputOf({ data, datacontenttype: 'image/png' }))
  const back = (await load.process(stageInputOf({ data: undefined, meta: metaOf(stored) }))) as StageResult
  expect(Buffer.from(back.event!.data as Uint8Array)).toEqual(Buffer.from(data))
  expect(await store.process(stageInputOf({ data: '12' }))).toBeUndefined()
  expect(await load.process(stageInputOf())).toBeUndefined()
})

// SEC-70
test.each([
  'sha256:../../etc/passwd',
  'sha256:../secret',
  '../secret',
  '/etc/passwd',
  'file:///etc/passwd',
  'sha256:',
  `sha256:${'a'.repeat(63)}`,
  `sha256:${'a'.repeat(64)}/../../secret`,
  `sha256:${'a'.repeat(64)}\u0000`,
  `sha256:${'A'.repeat(64)}`,
  `sha256:${'a'.repeat(5000)}`,
  'sha256:CON',
  '\\\\host\\share\\secret',
  'C:\\secret',
  'secret:stream',
])('the reference %j of an event names no file', async (dataref) => {
  const outside = emptyFolder()
  writeFileSync(join(outside, 'secret'), 'not for you')
  const load = await opened(claimCheck, { folder: join(outside, 'in', 'blobs'), mode: 'load' })
  const meta = JSON.stringify({ dataref })
  expect(await load.process(stageInputOf({ data: undefined, meta }))).toMatchObject({ outcome: 'reject' })
})

test('what was changed in the folder is found on the way back; what is no reference is rejected', async () => {
  const folder = emptyFolder()
  const store = await opened(claimCheck, { folder, above: '1KiB' })
  const load = await opened(claimCheck, { folder, mode: 'load' })
  const meta = metaOf(await store.process(stageInputOf({ data: large })))
  writeFileSync(filesIn(folder)[0]!, 'other')
  expect(await load.process(stageInputOf({ data: undefined, meta }))).toMatchObject({ outcome: 'reject' })
  rmSync(filesIn(folder)[0]!)
  await expect((async () => load.process(stageInputOf({ data: undefined, meta })))()).rejects.toThrow('ENOENT')
})
