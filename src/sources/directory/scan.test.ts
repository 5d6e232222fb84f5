import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { appendFile, link, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDriver as createDriverIn } from './driver-fixture.test-support.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-directory-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const createDriver = (options?: Record<string, unknown>) => createDriverIn(folder, options)
const put = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content)

describe('what is left alone', () => {
  // SEC-68, SEC-69
  it('does not follow links, enter folders, or take hidden and unfinished files', async () => {
    const outside = join(tmpdir(), `millrace-outside-${randomUUID()}.json`)
    await writeFile(outside, '"secret"')
    try {
      await symlink(outside, join(folder, 'link.json'))
      await link(outside, join(folder, 'hard.json'))
      await mkdir(join(folder, 'sub.json'))
      await writeFile(join(folder, 'sub.json', 'in.json'), '1')
      for (const name of ['.hidden.json', 'a.json.tmp', 'b.part', 'c.json~', '.d.json.swp']) await put(name, '1')
      await put('good.json', '1')
      const driver = createDriver()
      await driver.drain()
      expect(driver.data()).toEqual([1])
      expect(driver.logged.join()).toContain('symbolic links are not followed')
      expect(driver.logged.filter((line) => line.includes('link.json'))).toHaveLength(1)
    } finally {
      await rm(outside)
    }
  })

  // SEC-68
  it('does not move files through a link that took the place of .done', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'millrace-outside-'))
    try {
      await symlink(outside, join(folder, '.done'))
      await put('a.json', '1')
      await expect(createDriver().drain()).rejects.toThrow(/is not a folder/)
      expect(await readdir(outside)).toEqual([])
    } finally {
      await rm(outside, { recursive: true })
    }
  })

  // SEC-68
  it('does not wait for a named pipe', async () => {
    execFileSync('mkfifo', [join(folder, 'a.json')])
    await put('b.json', '1')
    const driver = createDriver()
    await driver.drain()
    expect(driver.data()).toEqual([1])
    expect(driver.logged.join()).toContain('not a regular file')
  })

  it('takes only names that fit the pattern', async () => {
    const driver = createDriver({ pattern: 'order-*.js?n' })
    await put('order-1.json', '1')
    await put('order-2.txt', 'x')
    await put('other.json', '3')
    await driver.drain()
    expect(driver.data()).toEqual([1])
  })

  it('waits until a file has not changed for the settle time', async () => {
    const driver = createDriver({ settle: '5s', every: '1s' })
    await put('a.ndjson', '0')
    const run = driver.start()
    let isTaken = false
    const next = run.batches.next().then((found) => {
      isTaken = true
      return found
    })
    for (let n = 1; n <= 5; n++) {
      const from = run.looks()
      // Two looks are less than five seconds of its clock.
      while (run.looks() < from + 2) await new Promise((resolve) => setImmediate(resolve))
      expect(isTaken).toBe(false)
      await appendFile(join(folder, 'a.ndjson'), `\n${n}`)
    }
    const changedAt = run.now()
    const { value } = await next
    expect(run.now()).toBeGreaterThanOrEqual(changedAt + 4000)
    expect(value.events).toHaveLength(6)
    await run.stop()
  })
})
