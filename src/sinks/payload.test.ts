import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openPipeline } from '../pipeline.ts'
import { memory } from '../stores/memory.ts'
import { command } from './command.ts'
import { file } from './file.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-payload-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const template = { first: '#root.0.event_id', last: '#root.1.data.n', count: '#root.2' }

// S0-79 S0-30
test('a batch of a command is filled from the list of its events, one by index', async () => {
  const out = join(folder(), 'out')
  await using pipeline = await openPipeline({
    store: memory(),
    subscriptions: {
      each: { payload: { id: '#root.id', n: '#root.data.n' }, sink: file({ path: `${out}.ndjson` }) },
      run: {
        payload: template,
        sink: command({ command: ['/usr/bin/tee', '-a', out], batch: { size: 2, wait: '5s' } }),
      },
    },
  })
  await pipeline.publish([1, 2].map((n) => ({ source: 's', id: `e${n}`, type: 'a.b', data: { n } })))
  await pipeline.idle()
  expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual({ first: 'e1', last: 2, count: null })
  expect(readFileSync(`${out}.ndjson`, 'utf8')).toBe('{"id":"e1","n":1}\n{"id":"e2","n":2}\n')
})
