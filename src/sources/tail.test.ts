import {
  appendFileSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkEvent } from '../core/event-check.ts'
import { afterSomeLooks, createKeeper, emptyFolder, eventually } from '../testing/source-keeper.test-support.ts'
import { createRandom } from '../testing/virtual-platform.ts'
import { tail } from './tail.ts'

const following = (options: Record<string, unknown> = {}) => {
  const folder = emptyFolder()
  const file = (name: string): string => join(folder, name)
  const keeper = createKeeper(tail.declaration, { path: file('app.log'), every: '50ms', ...options })
  const lines = () => keeper.data().map((data) => (data as { line: string }).line)
  return { folder, file, keeper, lines }
}
const numbered = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `line ${from + n}`)
const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('')

describe('the source tail', () => {
  it('brings in each line when it is whole, with its file and place', async () => {
    // S0-01 S0-02
    const { file, keeper, lines } = following()
    writeFileSync(file('app.log'), '\ufeffone\r\n\ntwo\nthr')
    keeper.start()
    await eventually(() => expect(lines()).toEqual(['one', 'two']))
    await afterSomeLooks()
    expect(lines()).toEqual(['one', 'two'])
    appendFileSync(file('app.log'), 'ee\n')
    await eventually(() => expect(lines()).toEqual(['one', 'two', 'three']))
    expect(keeper.events[2]).toMatchObject({
      type: 'tail.line',
      subject: 'app.log',
      meta: { file: file('app.log'), offset: 13 },
    })
    for (const event of keeper.events) expect(checkEvent({ source: 'logs', ...event }).ok).toBe(true)
  })

  it('begins at the end when asked, and only where a file was there at the very first start', async () => {
    const { file, keeper, lines } = following({ from: 'end', path: undefined, paths: [] })
    const options = { path: file('*.log'), paths: undefined }
    writeFileSync(file('a.log'), 'old\nhalf ')
    const first = keeper.start(options)
    await eventually(() => expect(keeper.cursor()).toBeDefined())
    await first.stop()
    appendFileSync(file('a.log'), 'whole\n')
    writeFileSync(file('b.log'), 'new file\n')
    keeper.start(options)
    await eventually(() => expect(lines().sort()).toEqual(['half whole', 'new file']))
  })

  it('reads JSON lines as data, and in ndjson takes events as they are', async () => {
    const { file, keeper } = following({ format: 'ndjson', eventType: 'order.line' })
    writeFileSync(file('app.log'), '{"n":1}\n{"id":"7","source":"shop","type":"order.placed","data":2}\n')
    keeper.start()
    await eventually(() => expect(keeper.events).toHaveLength(2))
    expect(keeper.events[0]).toMatchObject({ type: 'order.line', data: { n: 1 } })
    expect(keeper.events[1]).toEqual({ id: '7', source: 'shop', type: 'order.placed', data: 2 })
    const plain = createKeeper(tail.declaration, { path: file('app.log'), format: 'json' })
    plain.start()
    await eventually(() => expect(plain.events[1]).toMatchObject({ type: 'tail.line', data: { id: '7' } }))
  })

  it('tells of each line that it cannot read, without its content, and goes on', async () => {
    const { file, keeper } = following({ format: 'json', maxLine: '20B' })
    const bad = Buffer.concat([Buffer.from('"'), Buffer.from([0xff, 0xfe]), Buffer.from('"\n')])
    writeFileSync(file('app.log'), '1\n')
    appendFileSync(file('app.log'), bad)
    appendFileSync(file('app.log'), `"${'x'.repeat(1000)}"\nnot json\n2\n`)
    keeper.start()
    await eventually(() => expect(keeper.events).toHaveLength(5))
    expect(keeper.data()).toEqual([
      1,
      { problem: 'not-utf8', bytes: 5 },
      { problem: 'too-long', bytes: 1003 },
      { problem: 'not-json', bytes: 9 },
      2,
    ])
    expect(keeper.events[2]!.type).toBe('tail.line.unreadable')
    expect(new Set(keeper.events.map(({ id }) => id)).size).toBe(5)
  })

  it('follows every file of a pattern, also those that come later and in new folders', async () => {
    const { file, keeper } = following({ path: undefined })
    mkdirSync(file('a'))
    writeFileSync(file('a/1.log'), 'one\n')
    writeFileSync(file('a/1.txt'), 'no\n')
    writeFileSync(file('a/.hidden.log'), 'no\n')
    keeper.start({ path: file('**/*.log') })
    await eventually(() => expect(keeper.told()).toEqual(['tail.line a/1.log']))
    mkdirSync(file('b/c'), { recursive: true })
    writeFileSync(file('b/c/2.log'), 'two\n')
    writeFileSync(file('3.log'), 'three\n')
    await eventually(() =>
      expect(keeper.told().sort()).toEqual(['tail.line 3.log', 'tail.line a/1.log', 'tail.line b/c/2.log']),
    )
  })

  it('waits for a file and a folder that are not there yet', async () => {
    const { file, keeper, lines } = following({ path: undefined })
    keeper.start({ path: file('later/app.log') })
    await eventually(() => expect(keeper.cursor()).toBeDefined())
    mkdirSync(file('later'))
    writeFileSync(file('later/app.log'), 'one\n')
    await eventually(() => expect(lines()).toEqual(['one']))
  })

  it('reads a large file in bounded batches', async () => {
    const { file, keeper, lines } = following()
    const all = numbered(0, 50_000)
    writeFileSync(file('app.log'), text(all))
    const sizes: number[] = []
    keeper.start({
      dies: (batch) => {
        sizes.push(batch.events.length)
        return undefined
      },
    })
    await eventually(() => expect(keeper.events.length).toBe(50_000))
    expect(lines()).toEqual(all)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1000)
  })

  it('leaves links, folders and files with another hard link alone, unless links are to be followed', async () => {
    // SEC-68 SEC-69
    const outside = emptyFolder()
    writeFileSync(join(outside, 'secret'), 'secret\n')
    const { file, keeper, lines } = following({ path: undefined })
    symlinkSync(join(outside, 'secret'), file('link.log'))
    linkSync(join(outside, 'secret'), file('hard.log'))
    mkdirSync(file('folder.log'))
    symlinkSync(outside, file('way'))
    writeFileSync(file('own.log'), 'own\n')
    const run = keeper.start({ paths: [file('*.log'), file('*/*')] })
    await eventually(() => expect(lines()).toEqual(['own']))
    await afterSomeLooks()
    expect(keeper.told()).toEqual(['tail.line own.log'])
    expect(keeper.log.lines.filter(({ message }) => message.includes('not followed'))).toHaveLength(1)
    await run.stop()
    rmSync(file('hard.log'))
    keeper.start({ paths: [file('*.log')], followLinks: true })
    await eventually(() => expect(keeper.told()).toEqual(['tail.line own.log', 'tail.line link.log']))
  })

  it('says what is wrong with its options, and when too many files match', async () => {
    const wrong = (options: object) => tail.declaration.options.safeParse(options).error?.issues[0]?.message
    expect(wrong({})).toMatch(/either path or paths/)
    expect(wrong({ path: 'a/[b' })).toMatch(/without \]/)
    expect(wrong({ path: '../logs/./*.log' })).toBeUndefined()
    expect(wrong({ path: 'a', eventType: 'a b' })).toMatch(/type/)
    const { file, keeper } = following({ path: undefined })
    for (const name of ['a', 'b']) writeFileSync(file(name), '')
    await expect(keeper.start({ path: file('*'), maxFiles: 1 }).ended).rejects.toThrow(/more than 1 match/)
  })
})

describe('rotation', () => {
  it('by rename and a new file loses no line and gives none twice', async () => {
    const { file, keeper, lines } = following()
    keeper.start()
    let written = 0
    for (let turn = 0; turn < 5; turn++) {
      for (let burst = 0; burst < 5; burst++) {
        appendFileSync(file('app.log'), text(numbered(written, written + 20)))
        written += 20
        await new Promise((resolve) => setTimeout(resolve, 7))
      }
      renameSync(file('app.log'), file(`app.log.${turn}`))
      // A writer that has not noticed yet.
      appendFileSync(file(`app.log.${turn}`), text(numbered(written, written + 20)))
      written += 20
    }
    await eventually(() => expect(lines().sort()).toEqual(numbered(0, written).sort()))
    expect(keeper.duplicates()).toBe(0)
    expect(keeper.events.every(({ subject }) => subject === 'app.log')).toBe(true)
  })

  it('by a new file with the same first lines takes it for another file', async () => {
    const { file, keeper, lines } = following()
    keeper.start()
    for (let turn = 1; turn <= 4; turn++) {
      writeFileSync(file('app.log'), 'header\nsame\n')
      await eventually(() => expect(lines()).toHaveLength(turn * 2))
      // Gone, so that its inode may be given to the next one.
      rmSync(file('app.log'))
    }
    expect(keeper.duplicates()).toBe(0)
  })

  it('by copy and truncation reads on from the start of the same file', async () => {
    const { file, keeper, lines } = following()
    keeper.start()
    for (let turn = 0; turn < 3; turn++) {
      appendFileSync(file('app.log'), text([`${turn} first`, `${turn} second`]))
      await eventually(() => expect(lines()).toHaveLength(turn * 2 + 2))
      copyFileSync(file('app.log'), file(`app.log.${turn}`))
      truncateSync(file('app.log'))
      await afterSomeLooks()
    }
    expect(lines()).toEqual(['0 first', '0 second', '1 first', '1 second', '2 first', '2 second'])
    expect(keeper.duplicates()).toBe(0)
  })

  it('by truncation, with more written at once than there was, is seen by the first bytes', async () => {
    const { file, keeper, lines } = following()
    writeFileSync(file('app.log'), 'short\n')
    keeper.start()
    await eventually(() => expect(lines()).toEqual(['short']))
    writeFileSync(file('app.log'), 'another and longer\nand more\n')
    await eventually(() => expect(lines()).toEqual(['short', 'another and longer', 'and more']))
  })

  it('while the process was down is caught up: the rest of the old file and all of the new one', async () => {
    const { file, keeper, lines } = following()
    writeFileSync(file('app.log'), 'one\n')
    const run = keeper.start()
    await eventually(() => expect(lines()).toEqual(['one']))
    await run.stop()
    appendFileSync(file('app.log'), 'two\n')
    renameSync(file('app.log'), file('app.log.1'))
    writeFileSync(file('app.log'), 'three\n')
    keeper.start()
    await eventually(() => expect(lines().sort()).toEqual(['one', 'three', 'two']))
    expect(keeper.duplicates()).toBe(0)
  })

  it('gives the last line of a file that nobody writes to any more, though it has no newline', async () => {
    const { file, keeper, lines } = following({ linger: '100ms' })
    writeFileSync(file('app.log'), 'one\nlast')
    keeper.start()
    await eventually(() => expect(lines()).toEqual(['one']))
    rmSync(file('app.log'))
    await eventually(() => expect(lines()).toEqual(['one', 'last']))
  })
})

describe('a restart', () => {
  it('after a kill at any batch gives every line once', async () => {
    // S0-13 S0-17 S1-07
    const all = numbered(0, 3500)
    for (const when of ['before', 'after'] as const) {
      for (const batch of [0, 1, 2, 3]) {
        const { file, keeper, lines } = following()
        writeFileSync(file('app.log'), text(all))
        await keeper.start({ dies: (_, n) => (n === batch ? when : undefined) }).ended
        keeper.start()
        await eventually(() => expect(keeper.events.length).toBe(3500))
        expect(lines()).toEqual(all)
        expect(keeper.duplicates()).toBe(0)
      }
    }
  })

  it('goes on where a file was, and begins anew where another one has its inode', async () => {
    const { file, keeper, lines } = following()
    writeFileSync(file('app.log'), 'one\ntwo\n')
    const run = keeper.start()
    await eventually(() => expect(lines()).toEqual(['one', 'two']))
    await run.stop()
    // The same file, truncated and written anew while the process was down, and longer than before.
    writeFileSync(file('app.log'), 'uno\ndos\ntres\n')
    keeper.start()
    await eventually(() => expect(lines()).toEqual(['one', 'two', 'uno', 'dos', 'tres']))
  })

  it('knows a file again on a device that has another number now', async () => {
    const { file, keeper, lines } = following()
    writeFileSync(file('app.log'), 'one\n')
    const run = keeper.start()
    await eventually(() => expect(lines()).toEqual(['one']))
    await run.stop()
    keeper.setCursor(keeper.cursor()!.replace(/"device":"\d+"/, '"device":"4711"'))
    appendFileSync(file('app.log'), 'two\n')
    keeper.start()
    await eventually(() => expect(lines()).toEqual(['one', 'two']))
    await afterSomeLooks()
    expect(keeper.duplicates()).toBe(0)
    expect(keeper.cursor()).not.toContain('4711')
  })

  it('takes the cursor of a source of another type for none', async () => {
    const { file, keeper, lines } = following()
    writeFileSync(file('app.log'), 'one\n')
    keeper.setCursor('12')
    keeper.start()
    await eventually(() => expect(lines()).toEqual(['one']))
  })
})

describe('any order of writes, rotations, truncations and kills', () => {
  it.each([1, 2, 3])('gives every line once (seed %i)', async (seed) => {
    // S0-13 S0-17
    const random = createRandom(seed)
    const { file, keeper, lines } = following()
    let written = 0
    let rotations = 0
    let run = keeper.start()
    const all = () => eventually(() => expect(lines().length).toBe(written))
    for (let step = 0; step < 40; step++) {
      const what = random()
      if (what < 0.55) {
        const count = 1 + Math.floor(random() * 300)
        appendFileSync(file('app.log'), text(numbered(written, written + count)))
        written += count
      } else if (what < 0.7) {
        // A file that is rotated before it is seen once is out of reach of a single name.
        appendFileSync(file('app.log'), text(numbered(written, ++written)))
        await all()
        appendFileSync(file('app.log'), text(numbered(written, ++written)))
        renameSync(file('app.log'), file(`app.log.${++rotations}`))
      } else if (what < 0.8) {
        // What is cut off before it is read is lost to everybody.
        await all()
        appendFileSync(file('app.log'), '')
        truncateSync(file('app.log'))
        await afterSomeLooks()
      } else if (what < 0.9) {
        await run.stop()
        run = keeper.start()
      } else {
        const when = random() < 0.5 ? 'before' : 'after'
        await run.stop()
        const dying = keeper.start({ dies: () => when })
        await Promise.race([dying.ended, afterSomeLooks()])
        await dying.stop()
        run = keeper.start()
      }
    }
    await all()
    expect(lines().sort()).toEqual(numbered(0, written).sort())
    expect(keeper.duplicates()).toBe(0)
  })
})
