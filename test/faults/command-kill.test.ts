import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run, temporaryFolder, until } from './process.ts'

// G26
test.skipIf(process.platform === 'win32')(
  'a command that is not idempotent is not run again after a kill, and those behind it are',
  async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'runs')
    const ran = (): string => {
      try {
        return readFileSync(file, 'utf8')
      } catch {
        return ''
      }
    }
    const first = run('commander.ts', join(folder, 'events.db'), file)
    await until(() => ran() === 'one\nslow\n')
    await first.end('SIGKILL')
    const second = run('commander.ts', join(folder, 'events.db'), file)
    expect(JSON.parse((await second.says('done ')).slice('done '.length))).toEqual({
      delivered: 2,
      reason: expect.stringMatching(/^it is not known how the attempt ended.*the process ended during it$/),
      ok: true,
    })
    expect((await second.ended).code).toBe(0)
    expect(ran()).toBe('one\nslow\ntwo\n')
  },
)
