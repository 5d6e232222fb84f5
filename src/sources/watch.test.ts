import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkEvent } from '../core/event-check.ts'
import {
  afterSomeLooks,
  createKeeper as createAny,
  emptyFolder,
  eventually,
} from '../testing/source-keeper.test-support.ts'
import { watch } from './watch.ts'

const createKeeper = (options: Record<string, unknown>) => createAny(watch.declaration, { settle: '20ms', ...options })

/** A keeper on a fresh folder, already looking. */
async function watching(options: Record<string, unknown> = {}) {
  const path = emptyFolder()
  const keeper = createKeeper({ path, ...options })
  const run = keeper.start()
  await eventually(() => expect(keeper.cursor()).toBeDefined())
  return { path, keeper, run, file: (name: string) => join(path, name) }
}

describe('the source watch', () => {
  it('tells of files and folders that are created, changed and removed', async () => {
    // S0-01 S0-02 S0-03
    const { keeper, file } = await watching()
    mkdirSync(file('docs'))
    writeFileSync(file('docs/a.txt'), 'one')
    await eventually(() => expect(keeper.told()).toEqual(['folder.created docs', 'file.created docs/a.txt']))
    expect(keeper.events[1]).toMatchObject({
      data: { name: 'a.txt', path: file('docs/a.txt'), size: 3, modified: expect.stringMatching(/^20.*Z$/) },
      time: expect.stringMatching(/^20.*Z$/),
    })
    keeper.clear()
    writeFileSync(file('docs/a.txt'), 'one and two')
    await eventually(() => expect(keeper.told()).toEqual(['file.changed docs/a.txt']))
    keeper.clear()
    rmSync(file('docs'), { recursive: true })
    await eventually(() => expect(keeper.told()).toEqual(['file.removed docs/a.txt', 'folder.removed docs']))
    for (const event of keeper.events) expect(checkEvent({ source: 'files', ...event }).ok).toBe(true)
  })

  it('leaves what is there at the first start untold, unless it is asked for', async () => {
    const path = emptyFolder()
    writeFileSync(join(path, 'old.txt'), '')
    const quiet = createKeeper({ path })
    const full = createKeeper({ path, initial: true })
    quiet.start()
    full.start()
    await eventually(() => expect(full.told()).toEqual(['file.created old.txt']))
    await eventually(() => expect(quiet.cursor()).toBeDefined())
    writeFileSync(join(path, 'new.txt'), '')
    await eventually(() => expect(quiet.told()).toEqual(['file.created new.txt']))
  })

  it('tells of ten updates of one file as ten changes of one subject', async () => {
    // S0-35 S0-36
    const { keeper, file } = await watching()
    for (let n = 1; n <= 10; n++) {
      writeFileSync(file('doc.txt'), 'x'.repeat(n))
      await eventually(() => expect(keeper.events).toHaveLength(n))
    }
    expect(new Set(keeper.told().slice(1))).toEqual(new Set(['file.changed doc.txt']))
    expect(keeper.events.at(-1)!.data).toMatchObject({ size: 10 })
    expect(new Set(keeper.events.map(({ id }) => id)).size).toBe(10)
  })

  it('tells of an atomic save as one change, however the editor does it', async () => {
    const { keeper, file } = await watching()
    writeFileSync(file('doc.txt'), 'old')
    await eventually(() => expect(keeper.events).toHaveLength(1))
    keeper.clear()
    writeFileSync(file('doc.txt.tmp'), 'newer')
    renameSync(file('doc.txt.tmp'), file('doc.txt'))
    await eventually(() => expect(keeper.told()).toEqual(['file.changed doc.txt']))
    keeper.clear()
    // The other way: the old file is moved aside, written anew and the copy removed.
    renameSync(file('doc.txt'), file('doc.txt~'))
    writeFileSync(file('doc.txt'), 'newest')
    unlinkSync(file('doc.txt~'))
    await eventually(() => expect(keeper.told()).toEqual(['file.changed doc.txt']))
    await afterSomeLooks()
    expect(keeper.told()).toEqual(['file.changed doc.txt'])
  })

  it('tells of a rename as removed and created, also back again', async () => {
    const { keeper, file } = await watching()
    mkdirSync(file('a'))
    writeFileSync(file('a/x'), '')
    await eventually(() => expect(keeper.events).toHaveLength(2))
    const expected = (from: string, to: string) =>
      [`file.removed ${from}/x`, `folder.removed ${from}`, `folder.created ${to}`, `file.created ${to}/x`].sort()
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
      ['a', 'b'],
    ] as const) {
      keeper.clear()
      await rename(file(from), file(to))
      await eventually(() => expect(keeper.told().sort()).toEqual(expected(from, to)))
    }
    // The folder under its new name is still watched.
    keeper.clear()
    writeFileSync(file('b/y'), '')
    await eventually(() => expect(keeper.told()).toEqual(['file.created b/y']))
    expect(keeper.duplicates()).toBe(0)
  })

  it('follows a folder that is removed and made again at once', async () => {
    const { keeper, file } = await watching()
    mkdirSync(file('a'))
    writeFileSync(file('a/old'), '')
    await eventually(() => expect(keeper.events).toHaveLength(2))
    keeper.clear()
    rmSync(file('a'), { recursive: true })
    mkdirSync(file('a'))
    writeFileSync(file('a/new'), '')
    await eventually(() => expect(keeper.told().sort()).toEqual(['file.created a/new', 'file.removed a/old']))
    keeper.clear()
    writeFileSync(file('a/newer'), '')
    await eventually(() => expect(keeper.told()).toEqual(['file.created a/newer']))
  })

  it('takes a file in place of a folder, and the other way round', async () => {
    const { keeper, file } = await watching()
    mkdirSync(file('x'))
    writeFileSync(file('x/in'), '')
    await eventually(() => expect(keeper.events).toHaveLength(2))
    keeper.clear()
    rmSync(file('x'), { recursive: true })
    writeFileSync(file('x'), '')
    await eventually(() => expect(keeper.told()).toEqual(['file.removed x/in', 'folder.removed x', 'file.created x']))
    keeper.clear()
    rmSync(file('x'))
    mkdirSync(file('x'))
    await eventually(() => expect(keeper.told()).toEqual(['file.removed x', 'folder.created x']))
  })

  it('narrows by match, ignore, kinds and names, and puts its prefix before types', async () => {
    const { keeper, file } = await watching({
      match: ['*.csv', 'deep/**'],
      ignore: ['deep/secret'],
      events: ['created', 'removed'],
      typePrefix: 'import',
    })
    mkdirSync(file('deep/secret'), { recursive: true })
    for (const name of ['a.csv', 'b.txt', '.c.csv', 'd.csv.tmp', 'deep/e.txt', 'deep/secret/f.csv'])
      writeFileSync(file(name), '')
    const all = ['import.file.created a.csv', 'import.file.created deep/e.txt', 'import.folder.created deep']
    await eventually(() => expect(keeper.told().sort()).toEqual(all))
    writeFileSync(file('a.csv'), 'changed')
    writeFileSync(file('deep/secret/g.csv'), '')
    await afterSomeLooks()
    expect(keeper.told().sort()).toEqual(all)
  })

  it('tells of hidden and unfinished names only when asked', async () => {
    const { keeper, file } = await watching({ hidden: true })
    writeFileSync(file('.env'), '')
    writeFileSync(file('x.part'), '')
    await eventually(() => expect(keeper.told().sort()).toEqual(['file.created .env', 'file.created x.part']))
  })

  it('with hash, carries the hash of the content and does not tell of the same content again', async () => {
    const { keeper, file } = await watching({ hash: true })
    writeFileSync(file('a'), 'abc')
    const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    await eventually(() => expect(keeper.events[0]?.data).toMatchObject({ sha256 }))
    keeper.clear()
    writeFileSync(file('a'), 'abc')
    utimesSync(file('a'), 1, 1)
    await afterSomeLooks()
    expect(keeper.told()).toEqual([])
    writeFileSync(file('a'), 'abd')
    await eventually(() => expect(keeper.told()).toEqual(['file.changed a']))
    utimesSync(file('a'), 2, 2)
    await afterSomeLooks()
    expect(keeper.told()).toEqual(['file.changed a'])
  })

  it('watches several folders, with the folder in the subject', async () => {
    // S0-37
    const path = emptyFolder()
    const paths = [join(path, 'one'), join(path, 'two')]
    for (const each of paths) mkdirSync(each)
    const keeper = createKeeper({ paths, initial: true })
    keeper.start()
    await eventually(() => expect(keeper.cursor()).toBeDefined())
    for (const each of paths) writeFileSync(join(each, 'same'), '')
    await eventually(() =>
      expect(keeper.told().sort()).toEqual(paths.map((each) => `file.created ${each}/same`).sort()),
    )
    expect(new Set(keeper.events.map(({ id }) => id)).size).toBe(2)
  })

  it('neither follows nor tells of links, and keeps out of a folder that became one', async () => {
    // SEC-68 SEC-69
    const outside = emptyFolder()
    writeFileSync(join(outside, 'secret'), '')
    const { keeper, file } = await watching({ hash: true })
    symlinkSync(outside, file('out'))
    symlinkSync(join(outside, 'secret'), file('link'))
    mkdirSync(file('in'))
    writeFileSync(file('in/own'), '')
    await eventually(() => expect(keeper.told()).toEqual(['folder.created in', 'file.created in/own']))
    keeper.clear()
    rmSync(file('in'), { recursive: true })
    symlinkSync(outside, file('in'))
    await eventually(() => expect(keeper.told()).toEqual(['file.removed in/own', 'folder.removed in']))
    writeFileSync(join(outside, 'more'), '')
    await afterSomeLooks()
    expect(keeper.events).toHaveLength(2)
  })

  it('leaves what it cannot read as it was, and says so once', async () => {
    const { keeper, path, file } = await watching({ hash: true, every: '100ms' })
    mkdirSync(file('closed'))
    writeFileSync(file('closed/x'), '')
    await eventually(() => expect(keeper.events).toHaveLength(2))
    keeper.clear()
    for (const [each, mode] of [
      [path, 0o777],
      [file('closed'), 0],
    ] as const)
      chmodSync(each, mode)
    // Root may read everything.
    const isRoot = process.getuid?.() === 0
    if (isRoot) process.seteuid?.(65_534)
    try {
      writeFileSync(file('secret'), 'x', { mode: 0o200 })
      await eventually(() => expect(keeper.told()).toEqual(['file.created secret']))
      expect(keeper.events[0]!.data).not.toHaveProperty('sha256')
      if (isRoot) process.seteuid?.(0)
      chmodSync(file('closed'), 0)
      rmSync(file('secret'))
      if (isRoot) process.seteuid?.(65_534)
      await eventually(() => expect(keeper.told()).toEqual(['file.created secret', 'file.removed secret']))
      await afterSomeLooks()
      expect(keeper.told()).toHaveLength(2)
    } finally {
      if (isRoot) process.seteuid?.(0)
      chmodSync(file('closed'), 0o700)
    }
    expect(keeper.log.lines.filter(({ message }) => message.includes('left as it was'))).toHaveLength(1)
  })

  it('tells of a name that no subject can hold', async () => {
    const { keeper, file } = await watching()
    writeFileSync(file('a\nb'), '')
    const deep = Array.from({ length: 10 }, (_, n) => `${n}`.repeat(60)).join('/')
    mkdirSync(file(deep), { recursive: true })
    await eventually(() => expect(keeper.events).toHaveLength(11))
    for (const event of keeper.events) expect(checkEvent({ source: 'files', ...event })).toMatchObject({ ok: true })
  })

  it('is refused when what it is given cannot be meant', () => {
    // SEC-71
    const wrong = (options: object) => watch.declaration.options.safeParse(options).error?.issues[0]?.message
    expect(wrong({})).toMatch(/either path or paths/)
    expect(wrong({ path: 'a', paths: ['b'] })).toMatch(/either path or paths/)
    expect(wrong({ paths: ['a', './a/b'] })).toMatch(/lies in another/)
    expect(wrong({ path: 'a', match: ['{a,b}'.repeat(10)] })).toMatch(/1000 alternatives/)
    expect(wrong({ path: 'a', typePrefix: 'a b' })).toMatch(/prefix/)
    expect(wrong({ path: 'a', settle: 5 })).toMatch(/unit/)
  })
})

describe('a burst', () => {
  it('of 5,000 files in new folders is told whole, each once', { timeout: 60_000 }, async () => {
    const { keeper, file } = await watching()
    const count = (type: string) => keeper.events.filter((event) => event.type === type).length
    for (let folder = 0; folder < 10; folder++) {
      mkdirSync(file(`f${folder}`))
      await Promise.all(Array.from({ length: 500 }, (_, n) => writeFile(file(`f${folder}/${n}`), 'x')))
    }
    await eventually(() => expect(count('file.created')).toBe(5000))
    const files = keeper.told().filter((each) => each.startsWith('file.created'))
    expect(new Set(files).size).toBe(5000)
    rmSync(file('.'), { recursive: true, force: true })
    await eventually(() => expect(count('file.removed')).toBe(5000))
  })

  it('that overflows the queue of the operating system is told whole', { timeout: 60_000 }, async () => {
    const { keeper, file } = await watching()
    mkdirSync(file('a'))
    await eventually(() => expect(keeper.events).toHaveLength(1))
    // Without a pause nothing is read from the queue, which holds 16,384 entries: two for each file.
    for (let n = 0; n < 9500; n++) writeFileSync(file(`a/${n}`), 'x')
    await eventually(() => expect(keeper.events.length).toBe(9501))
  })
})

describe('a root', () => {
  it('that is removed and made again is followed', async () => {
    const { path, keeper, file } = await watching()
    writeFileSync(file('a'), '')
    await eventually(() => expect(keeper.told()).toEqual(['file.created a']))
    keeper.clear()
    rmSync(path, { recursive: true })
    await eventually(() => expect(keeper.told()).toEqual(['file.removed a']))
    expect(keeper.log.lines.some(({ message }) => message.includes('waited for'))).toBe(true)
    keeper.clear()
    mkdirSync(path)
    writeFileSync(file('b'), '')
    await eventually(() => expect(keeper.told()).toEqual(['file.created b']))
    writeFileSync(file('c'), '')
    await eventually(() => expect(keeper.told()).toEqual(['file.created b', 'file.created c']))
  })

  it('that is replaced at once is compared with what was there', async () => {
    const { path, keeper, file } = await watching()
    writeFileSync(file('a'), '')
    await eventually(() => expect(keeper.events).toHaveLength(1))
    keeper.clear()
    const next = emptyFolder()
    writeFileSync(join(next, 'b'), '')
    renameSync(path, `${path}.old`)
    renameSync(next, path)
    rmSync(`${path}.old`, { recursive: true })
    await eventually(() => expect(keeper.told().sort()).toEqual(['file.created b', 'file.removed a']))
    writeFileSync(file('c'), '')
    await eventually(() => expect(keeper.events).toHaveLength(3))
  })

  it('that is not there yet is waited for, and all in it is new', async () => {
    const path = join(emptyFolder(), 'later')
    const keeper = createKeeper({ path })
    keeper.start()
    await eventually(() => expect(keeper.cursor()).toBeDefined())
    mkdirSync(path)
    writeFileSync(join(path, 'a'), '')
    await eventually(() => expect(keeper.told()).toEqual(['file.created a']))
  })

  it('that is a file, or holds too much, is an error that says what to do', async () => {
    const path = emptyFolder()
    writeFileSync(join(path, 'a'), '')
    writeFileSync(join(path, 'b'), '')
    await expect(createKeeper({ path: join(path, 'a') }).start().ended).rejects.toThrow(/give the folder as the path/)
    await expect(createKeeper({ path, maxFiles: 1 }).start().ended).rejects.toThrow(/narrow match/)
    const enough = createKeeper({ path, maxFiles: 2, initial: true })
    enough.start()
    await eventually(() => expect(enough.events).toHaveLength(2))
  })
})

describe('a restart', () => {
  it('tells what changed while it was down, removals included, and nothing twice', async () => {
    // S0-13 S1-07
    const { keeper, run, file } = await watching()
    mkdirSync(file('dir'))
    for (const name of ['dir/gone', 'changed', 'same']) writeFileSync(file(name), '')
    await eventually(() => expect(keeper.events).toHaveLength(4))
    await run.stop()
    keeper.clear()
    rmSync(file('dir'), { recursive: true })
    writeFileSync(file('changed'), 'now')
    writeFileSync(file('new'), '')
    const again = keeper.start()
    const expected = ['file.changed changed', 'file.created new', 'file.removed dir/gone', 'folder.removed dir']
    await eventually(() => expect(keeper.told().sort()).toEqual(expected))
    await again.stop()
    keeper.start()
    await afterSomeLooks()
    expect(keeper.events).toHaveLength(4)
    expect(keeper.duplicates()).toBe(0)
  })

  it('after a kill at any step neither leaves anything out nor tells it twice', async () => {
    // S0-13 S0-17
    const path = emptyFolder()
    for (let n = 0; n < 1200; n++) writeFileSync(join(path, `f${n}`), '')
    for (const [batch, when] of [
      [0, 'before'],
      [0, 'after'],
      [1, 'before'],
      [1, 'after'],
      [2, 'after'],
    ] as const) {
      const keeper = createKeeper({ path, initial: true })
      await keeper.start({ dies: (_, n) => (n === batch ? when : undefined) }).ended
      keeper.start()
      await eventually(() => expect(keeper.events.length).toBe(1200))
      await afterSomeLooks()
      expect(keeper.duplicates()).toBe(0)
      expect(keeper.events.length).toBe(1200)
    }
  })

  it('killed while it takes stock silently, takes stock again and tells nothing', async () => {
    const path = emptyFolder()
    for (let n = 0; n < 1200; n++) writeFileSync(join(path, `f${n}`), '')
    const keeper = createKeeper({ path })
    await keeper.start({ dies: (_, n) => (n === 1 ? 'after' : undefined) }).ended
    keeper.start()
    await afterSomeLooks()
    expect(keeper.told()).toEqual([])
    writeFileSync(join(path, 'new'), '')
    await eventually(() => expect(keeper.told()).toEqual(['file.created new']))
  })

  it('with other settings forgets what is no longer wanted without telling it', async () => {
    const { keeper, run, file } = await watching()
    writeFileSync(file('a.csv'), '')
    writeFileSync(file('b.txt'), '')
    await eventually(() => expect(keeper.events).toHaveLength(2))
    await run.stop()
    keeper.clear()
    keeper.start({ ignore: ['*.txt'] })
    await afterSomeLooks()
    expect(keeper.told()).toEqual([])
    rmSync(file('a.csv'))
    rmSync(file('b.txt'))
    await eventually(() => expect(keeper.told()).toEqual(['file.removed a.csv']))
  })

  it('takes the cursor of a source of another type for none', async () => {
    const keeper = createKeeper({ path: emptyFolder() })
    keeper.setCursor('4711 of something else')
    keeper.start()
    await eventually(() => expect(keeper.cursor()).toMatch(/^{"seen":/))
  })
})
