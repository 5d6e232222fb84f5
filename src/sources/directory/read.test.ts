import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDriver as createDriverIn, lines } from './driver-fixture.test-support.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-directory-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const createDriver = (options?: Record<string, unknown>) => createDriverIn(folder, options)
const put = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content)
const there = async (...parts: string[]) => (await readdir(join(folder, ...parts)).catch(() => [])).sort()

describe('batches', () => {
  it('puts many small files into one batch', async () => {
    const driver = createDriver()
    for (let n = 0; n < 50; n++) await put(`${n}.json`, String(n))
    expect(await driver.drain()).toBe(1)
    expect(driver.counts().stored).toBe(50)
    expect(await there()).toEqual(['.done'])
  })

  it('cuts a large file into batches of at most 1,000 lines or 1 MiB', async () => {
    const driver = createDriver()
    await put('a.ndjson', lines(2500))
    expect(await driver.drain()).toBe(3)
    await put('b.ndjson', Array.from({ length: 5 }, (_, n) => `"${String(n).repeat(500_000)}"`).join('\n'))
    expect(await driver.drain()).toBe(3)
    expect(driver.counts()).toEqual({ stored: 2505, duplicates: 0, conflicts: 0 })
  })

  it('moves a file with empty lines only without a commit', async () => {
    const driver = createDriver()
    await put('a.ndjson', '\n\n')
    expect(await driver.drain()).toBe(0)
    expect(await there('.done')).toEqual(['a.ndjson'])
  })
})

// K1, K2: the source's part. S0-10
describe('after a crash', () => {
  it.each(['before', 'between', 'after'] as const)(
    'loses nothing and stores nothing twice, %s any commit',
    async (moment) => {
      for (let crash = 0; crash < 5; crash++) {
        await rm(folder, { recursive: true, force: true })
        await mkdir(folder)
        const driver = createDriver()
        await put('a.json', '"a"')
        await put('b.ndjson', lines(3200))
        await put('c.json', '"c"')
        await driver.drain((batch, when) => batch === crash && when === moment)
        await driver.drain()
        expect(driver.counts()).toMatchObject({ stored: 3202, conflicts: 0 })
        expect(await there()).toEqual(['.done'])
        expect(await there('.done')).toEqual(['a.json', 'b.ndjson', 'c.json'])
      }
    },
  )

  it('goes on in a large file where the cursor stands', async () => {
    const driver = createDriver()
    await put('a.ndjson', lines(5000))
    await driver.drain((batch, when) => batch === 2 && when === 'after')
    expect(JSON.parse(driver.cursor()!)).toMatchObject({ file: 'a.ndjson', line: 2000 })
    await driver.drain()
    expect(driver.counts()).toEqual({ stored: 5000, duplicates: 1000, conflicts: 0 })
  })

  it('reads a file from its beginning when its content is not that of the cursor', async () => {
    const driver = createDriver()
    await put('a.ndjson', lines(3000))
    await driver.drain((batch, when) => batch === 1 && when === 'after')
    await put('a.ndjson', lines(1500, 10_000))
    await driver.drain()
    expect(driver.counts().stored).toBe(3500)
  })

  it('remembers refused lines of the batches before', async () => {
    const driver = createDriver()
    await put('a.ndjson', `"bad"\n${lines(2500)}`)
    driver.refused.add('bad')
    for (const when of ['between', 'after', 'between'] as const) {
      await driver.drain((_, moment) => moment === when)
    }
    await driver.drain()
    expect(await there('.failed')).toEqual(['a.ndjson', 'a.ndjson.error.txt'])
    expect(driver.counts().stored).toBe(2500)
  })
})
