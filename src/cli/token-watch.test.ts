import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Token } from '../server/index.ts'
import { recordingLog } from '../testing/plugin-context.ts'
import { watchTokens } from './token-watch.ts'

// SEC-46
test('a changed file hands on its tokens, and one that is wrong changes nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-tokens-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'millrace.yaml')
  await writeFile(file, 'first')
  const log = recordingLog()
  const used: (readonly Token[])[] = []
  let answer: () => Promise<readonly Token[]> = () => Promise.reject(new Error('line 3: no'))
  onTestFinished(
    watchTokens(
      file,
      () => answer(),
      (tokens) => void used.push(tokens),
      log,
      10,
    ),
  )
  await writeFile(file, 'a change that is wrong')
  await vi.waitFor(() => expect(log.lines).toHaveLength(1))
  expect(log.lines[0]).toMatchObject({ level: 'warn', fields: { reason: 'line 3: no' } })
  answer = () => Promise.resolve([])
  await writeFile(file, 'a change that is right')
  await vi.waitFor(() => expect(used).toEqual([[]]))
})
