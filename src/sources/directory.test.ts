import { existsSync } from 'node:fs'
import { appendFile, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDriver as createDriverIn, type SourceEvent } from './directory/driver-fixture.test-support.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-directory-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const createDriver = (options?: Record<string, unknown>) => createDriverIn(folder, options)
const put = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content)
const there = async (...parts: string[]) => (await readdir(join(folder, ...parts)).catch(() => [])).sort()

describe('what a file becomes', () => {
  it('makes one event of each line of an NDJSON file and moves it', async () => {
    const driver = createDriver()
    await put('a.ndjson', '{"n":1}\r\n\n{"n":2}\n7')
    await driver.drain()
    expect(driver.data()).toEqual([{ n: 1 }, { n: 2 }, 7])
    const [first, second] = [...driver.stored.values()]
    expect(first).toMatchObject({ type: 'file.received', subject: 'a.ndjson' })
    expect(first!.id).toMatch(/^[\w-]{22}-1$/)
    expect(second!.id).toMatch(/-3$/)
    expect(await there()).toEqual(['.done'])
    expect(await there('.done')).toEqual(['a.ndjson'])
  })

  it('takes a line or file that is an event as it is', async () => {
    const driver = createDriver()
    const event = {
      specversion: '1.0',
      id: '42',
      source: 'shop',
      type: 'order.placed',
      subject: 'o-1',
      tenant: 'x',
      data: { total: 1 },
    }
    await put('b.jsonl', JSON.stringify(event))
    await put('c.json', JSON.stringify({ id: '43', source: 'shop', type: 'order.placed', data: 1, meta: { a: 1 } }))
    await put(
      'd.json',
      JSON.stringify([
        { ...event, id: '44' },
        { ...event, id: '45' },
      ]),
    )
    await driver.drain()
    expect([...driver.stored.keys()]).toEqual(['shop 42', 'shop 43', 'shop 44', 'shop 45'])
    expect(driver.stored.get('shop 42')).toEqual({
      id: '42',
      source: 'shop',
      type: 'order.placed',
      subject: 'o-1',
      data: { total: 1 },
      meta: { tenant: 'x' },
    })
    expect(driver.stored.get('shop 43')).toMatchObject({ data: 1, meta: { a: 1 } })
  })

  it('makes a JSON file the data of one event, arrays of data too', async () => {
    const driver = createDriver({ eventType: 'report.made' })
    await put('a.json', '\ufeff{"id":1,"type":"x"}')
    await put('b.json', '[1,{"id":"1","type":"x"}]')
    await put('c.json', '[]')
    await driver.drain()
    expect(driver.data()).toEqual([{ id: 1, type: 'x' }, [1, { id: '1', type: 'x' }], []])
    expect([...driver.stored.values()].every((event) => event.type === 'report.made')).toBe(true)
  })

  it('describes any other file, with its text when it is short and UTF-8', async () => {
    const driver = createDriver()
    await put('a.txt', 'hé')
    await put('b.bin', new Uint8Array([0, 255]))
    await put('c.log', 'x'.repeat(70_000))
    await driver.drain()
    const [text, binary, long] = driver.data() as Record<string, unknown>[]
    expect(text).toMatchObject({ name: 'a.txt', path: join(folder, 'a.txt'), size: 3, text: 'hé' })
    expect(text!['sha256']).toMatch(/^[0-9a-f]{64}$/)
    expect(binary).not.toHaveProperty('text')
    expect(long).not.toHaveProperty('text')
    expect(long).toMatchObject({ size: 70_000 })
  })

  it('gives new content under an old name a new id, and the same content the same one', async () => {
    const driver = createDriver()
    await put('a.json', '1')
    await driver.drain()
    await put('a.json', '2')
    await driver.drain()
    await put('a.json', '1')
    await driver.drain()
    expect(driver.data()).toEqual([1, 2])
    expect(driver.counts()).toEqual({ stored: 2, duplicates: 1, conflicts: 0 })
    expect((await there('.done')).length).toBe(3)
  })
})

describe('what becomes of a stored file', () => {
  it('stays in place when it is only marked, and is not read again', async () => {
    const driver = createDriver({ after: 'mark' })
    await put('a.json', '1')
    expect(await driver.drain()).toBe(1)
    expect(await driver.drain()).toBe(0)
    await utimes(join(folder, 'a.json'), 1, 1)
    expect(await driver.drain()).toBe(0)
    await put('a.json', '2')
    expect(await driver.drain()).toBe(1)
    expect(await there()).toEqual(['a.json'])
    await rm(join(folder, 'a.json'))
    await driver.drain()
    expect(driver.state.size).toBe(0)
  })

  it('is gone when it shall be deleted, and only after the commit', async () => {
    const driver = createDriver({ after: 'delete' })
    await put('a.json', '1')
    await driver.drain((_, when) => when === 'between')
    expect(await there()).toEqual(['a.json'])
    await driver.drain()
    expect(await there()).toEqual([])
    expect(driver.counts()).toEqual({ stored: 1, duplicates: 1, conflicts: 0 })
  })

  it('stays when somebody changed it between reading and moving, and is read again', async () => {
    const driver = createDriver()
    await put('a.ndjson', '1')
    const run = driver.start()
    const { value } = await run.batches.next()
    await appendFile(join(folder, 'a.ndjson'), '\n2')
    await value.settled(driver.commit(value))
    await run.stop()
    expect(await there()).toEqual(['.done', 'a.ndjson'])
    await driver.drain()
    expect(driver.data()).toEqual([1, 1, 2])
  })

  it('is tried again, and not read again, when it cannot be moved', async () => {
    const driver = createDriver()
    await put('a.json', '1')
    const run = driver.start()
    const { value } = await run.batches.next()
    await rename(join(folder, '.done'), join(folder, '.away'))
    await writeFile(join(folder, '.done'), 'in the way')
    await value.settled(driver.commit(value))
    expect(driver.logged.join()).toContain('cannot be put away')
    await rm(join(folder, '.done'))
    const next = run.batches.next()
    while (existsSync(join(folder, 'a.json'))) await new Promise((resolve) => setImmediate(resolve))
    await put('b.json', '2')
    expect((await next).value.events.map((event: SourceEvent) => event.data)).toEqual([2])
    expect(await there('.done')).toEqual(['a.json'])
    await run.stop()
  })
})

describe('a file that is not good', () => {
  // S1-68
  it.each([
    ['a.ndjson', '{"n":1}\n{"n":\n{"n":3}', 'line 2 is not JSON'],
    ['a.ndjson', Buffer.from([0x22, 0xff, 0x22]), 'line 1 is not UTF-8'],
    ['a.ndjson', `1\n"${'x'.repeat(2000)}"`, 'line 2 is too long'],
    ['a.json', '{', 'it is not JSON in UTF-8'],
    ['a.json', '', 'it is not JSON in UTF-8'],
    ['a.json', `"${'x'.repeat(2000)}"`, 'it is larger than 1024 bytes'],
  ])('goes to .failed with the reason beside it, and others go on (%s %#)', async (name, content, reason) => {
    const driver = createDriver({ maxLine: '1KiB' })
    await put(name, content)
    await put('z.json', '"fine"')
    await driver.drain()
    expect(driver.data()).toEqual(['fine'])
    expect(await there('.failed')).toEqual([name, `${name}.error.txt`])
    expect(await readFile(join(folder, '.failed', `${name}.error.txt`), 'utf8')).toContain(reason)
    expect(await readFile(join(folder, '.failed', name))).toEqual(Buffer.from(content as string))
    expect(driver.logged.join()).toContain(reason)
  })

  it('goes to .failed with the lines that were refused, and its other events are stored', async () => {
    const driver = createDriver()
    driver.refused.add(2)
    await put('a.ndjson', '1\n2\n3')
    await driver.drain()
    expect(driver.data()).toEqual([1, 3])
    const reason = await readFile(join(folder, '.failed', 'a.ndjson.error.txt'), 'utf8')
    expect(reason).toContain('events not accepted: 1')
    expect(reason).toContain('2: not liked')
  })

  it('never takes the place of an earlier one', async () => {
    const driver = createDriver()
    for (const content of ['{', '{{', '{{{']) {
      await put('a.json', content)
      await driver.drain()
    }
    expect((await there('.failed')).length).toBe(6)
  })
})
