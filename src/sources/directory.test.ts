import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  appendFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Log } from '../core/platform.ts'
import type { IngestResult, SourceBatch, SourceContext } from '../plugin/source.ts'
import { directory } from './directory.ts'

let folder: string
const running: AbortController[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-directory-'))
})
afterEach(async () => {
  for (const controller of running.splice(0)) controller.abort()
  await rm(folder, { recursive: true, force: true })
})

type SourceEvent = SourceBatch['events'][number]

/** Stores like the engine: events by id, the cursor with them, then `settled`. Time passes with every sleep. */
function createDriver(options: Record<string, unknown> = {}) {
  const stored = new Map<string, SourceEvent>()
  const state = new Map<string, string>()
  const logged: string[] = []
  const refused = new Set<unknown>()
  let cursor: string | undefined
  let duplicates = 0
  let conflicts = 0
  const write = (message: string, fields?: unknown): number => logged.push(`${message} ${JSON.stringify(fields)}`)
  const log: Log = { debug: write, info: write, warn: write, error: write }

  const commit = (batch: SourceBatch): IngestResult[] => {
    const results = batch.events.map((event): IngestResult => {
      const key = { source: event.source ?? 'inbox', id: event.id }
      const name = `${key.source} ${key.id}`
      if (refused.has(event.data))
        return { ...key, status: 'refused', error: { code: 'event-invalid', message: 'not liked' } }
      const there = stored.get(name)
      if (there === undefined) stored.set(name, event)
      else if (JSON.stringify(there) === JSON.stringify(event)) duplicates++
      else conflicts++
      const status =
        there === undefined ? 'stored' : JSON.stringify(there) === JSON.stringify(event) ? 'duplicate' : 'conflict'
      return { ...key, status, sequence: 1 }
    })
    if (batch.cursor !== undefined) cursor = batch.cursor
    return results
  }
  const start = () => {
    const controller = new AbortController()
    running.push(controller)
    let now = 0
    let idle = 0
    const context: SourceContext = {
      name: 'inbox',
      log,
      clock: { now: () => 1_750_000_000_000 + now, monotonic: () => now },
      signal: controller.signal,
      async sleep(ms) {
        now += ms
        idle++
        await new Promise((resolve) => setImmediate(resolve))
        return !controller.signal.aborted
      },
      state: {
        get: async (key) => state.get(key),
        set: async (key, value) => void state.set(key, value),
        delete: async (key) => void (key === undefined ? state.clear() : state.delete(key)),
        deleteOlderThan: async () => 0,
        list: async (prefix = '') =>
          [...state].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({ key, value })),
      },
    }
    const source = directory({ path: folder, ...options })
    const checked = source.declaration.options.parse(source.options)
    const made = source.declaration.create(checked, { directory: '/', platform: undefined as never })
    const batches = made.read(cursor, context)[Symbol.asyncIterator]()
    const stop = async (): Promise<void> => {
      controller.abort()
      await batches.return?.()
    }
    return { batches, stop, looks: () => idle, now: () => now }
  }
  return {
    stored,
    state,
    logged,
    refused,
    start,
    commit,
    cursor: () => cursor,
    counts: () => ({ stored: stored.size, duplicates, conflicts }),
    data: () => [...stored.values()].map((event) => event.data),
    /** Runs until everything there was taken and the source has looked again several times without finding more. */
    async drain(crashAt: (batch: number, when: 'before' | 'between' | 'after') => boolean = () => false) {
      const run = start()
      let count = 0
      try {
        for (;;) {
          const before = run.looks()
          const next = run.batches.next()
          const idle = (async () => {
            while (run.looks() < before + 12) await new Promise((resolve) => setImmediate(resolve))
            return 'idle' as const
          })()
          const found = await Promise.race([next, idle])
          if (found === 'idle' || found.done === true) return count
          if (crashAt(count, 'before')) return count
          const results = commit(found.value)
          count++
          if (crashAt(count - 1, 'between')) return count
          await found.value.settled?.(results)
          if (crashAt(count - 1, 'after')) return count
        }
      } finally {
        await run.stop()
      }
    },
  }
}

const put = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content)
const lines = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => JSON.stringify({ n: from + n })).join('\n')
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
    const driver = createDriver({ type: 'report.made' })
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
