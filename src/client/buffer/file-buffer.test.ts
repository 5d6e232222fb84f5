import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { FileBuffer } from './file-buffer.ts'
import { lineOf } from './lines.ts'

const maxBytes = 64 * 1024

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-buffer-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'events.buffer')
}

async function open(path: string, bytes = maxBytes): Promise<FileBuffer> {
  const buffer = await FileBuffer.open(path, bytes)
  onTestFinished(() => buffer.close().catch(() => undefined))
  return buffer
}

/** Everything in it, without sending it. */
async function contents(buffer: FileBuffer): Promise<readonly string[]> {
  return (await buffer.read(1_000_000)).lines
}

test('what is added comes out in order, and what was sent does not come out again after a restart', async () => {
  const path = newPath()
  const first = await open(path)
  await Promise.all(['a', 'b', 'ü'].map((text) => first.append(text)))
  expect((await first.read(2)).lines).toEqual(['a', 'b'])
  await first.sent(2)
  await first.append('c')
  await first.close()
  const second = await open(path)
  expect(second.events).toBe(2)
  expect(await contents(second)).toEqual(['ü', 'c'])
  await second.sent(2)
  expect(second).toMatchObject({ events: 0, bytes: 0 })
})

// S3-23
test('half a line at the end, as a crash leaves it, is cut off, and what comes next is whole', async () => {
  const path = newPath()
  const first = await open(path)
  await first.append('a')
  await first.append('b')
  await first.close()
  const whole = readFileSync(path)
  for (let cut = 1; cut < lineOf('b').length; cut++) {
    writeFileSync(path, whole.subarray(0, whole.length - cut))
    const buffer = await open(path)
    await buffer.append('c')
    expect(await contents(buffer)).toEqual(['a', 'c'])
    await buffer.close()
  }
})

test('a damaged line in the middle is left out, counted, and does not stop those behind it', async () => {
  const path = newPath()
  const first = await open(path)
  for (const text of ['aaaa', 'bbbb', 'cccc', 'dddd']) await first.append(text)
  await first.close()
  writeFileSync(path, readFileSync(path, 'latin1').replace('aaaa', 'aaxa').replace('cccc', 'ccxc'), 'latin1')
  const buffer = await open(path)
  expect(buffer.events).toBe(4)
  expect(await buffer.read(10)).toEqual({ lines: ['bbbb', 'dddd'], damaged: 2 })
  expect(buffer.events).toBe(2)
  await buffer.sent(1)
  expect(await contents(buffer)).toEqual(['dddd'])
})

test('a place that was noted for another file, or is no beginning of a line, means from the beginning', async () => {
  const path = newPath()
  const first = await open(path)
  await first.append('a')
  await first.append('b')
  expect((await first.read(1)).lines).toEqual(['a'])
  await first.sent(1)
  await first.close()
  const place = readFileSync(`${path}.position`, 'latin1')
  const others = ['', 'nonsense\n', place.replace(/\d\n$/, '9\n')]
  for (const other of others) {
    writeFileSync(`${path}.position`, other)
    const buffer = await open(path)
    expect(await contents(buffer)).toEqual(['a', 'b'])
    await buffer.close()
  }
  writeFileSync(`${path}.position`, place)
  const buffer = await open(path)
  expect(await contents(buffer)).toEqual(['b'])
})

// G28
test('it never holds more than it may; what was sent makes room again', async () => {
  const path = newPath()
  const buffer = await open(path, 8192)
  const text = 'x'.repeat(500)
  let count = 0
  while (await accepted(buffer.append(text))) count += 1
  expect(count).toBe(Math.floor((8192 - 51) / 510))
  expect(statSync(path).size).toBeLessThanOrEqual(8192)
  await buffer.read(8)
  await buffer.sent(8)
  for (let i = 0; i < 8; i++) expect(await accepted(buffer.append(`${i}`))).toBe(true)
  expect(statSync(path).size).toBeLessThanOrEqual(8192)
  expect((await contents(buffer)).slice(-9)).toEqual([text, ...Array.from({ length: 8 }, (_, i) => `${i}`)])
})

test('after it was cut in front it still knows what was sent', async () => {
  const path = newPath()
  const first = await open(path, 8192)
  const texts = Array.from({ length: 15 }, (_, i) => `${i}`.padEnd(500, 'x'))
  for (const text of texts) await first.append(text)
  await first.read(9)
  await first.sent(9)
  await first.append('y'.repeat(700))
  expect(statSync(path).size).toBeLessThan(5000)
  await first.read(2)
  await first.sent(2)
  await first.close()
  expect(await contents(await open(path, 8192))).toEqual([...texts.slice(11), 'y'.repeat(700)])
})

async function accepted(written: Promise<void> | undefined): Promise<boolean> {
  await written
  return written !== undefined
}

test('one process at a time has it; a lock that nobody holds any more is taken', async () => {
  const path = newPath()
  const first = await open(path)
  await expect(FileBuffer.open(path, maxBytes)).rejects.toMatchObject({ code: 'state-conflict' })
  await first.append('a')
  await first.close()
  writeFileSync(`${path}.lock`, '')
  const second = await open(path)
  expect(second.events).toBe(1)
  await second.close()
  expect(existsSync(`${path}.lock`)).toBe(false)
})

test('whoever lost the lock writes and reads nothing more', async () => {
  const path = newPath()
  const first = await open(path)
  await first.append('a')
  rmSync(`${path}.lock`)
  const second = await open(path)
  await expect(first.append('b')).rejects.toThrow('taken by another process')
  await expect(first.read(1)).rejects.toThrow('taken by another process')
  await first.close()
  expect(existsSync(`${path}.lock`)).toBe(true)
  expect(await contents(second)).toEqual(['a'])
})

test('a file that is something else is left alone', async () => {
  const path = newPath()
  writeFileSync(path, 'precious\n'.repeat(20))
  await expect(FileBuffer.open(path, maxBytes)).rejects.toThrow('is another kind of file')
  expect(readFileSync(path, 'utf8')).toBe('precious\n'.repeat(20))
})

test('a file that somebody cuts while it is in use is an error, not an endless loop', async () => {
  const path = newPath()
  const buffer = await open(path)
  await buffer.append('a')
  truncateSync(path, 51)
  await expect(buffer.read(1)).rejects.toThrow('cut by somebody else')
})

test('a line longer than what is read at once comes whole', async () => {
  const buffer = await open(newPath(), 8 * 2 ** 20)
  const long = 'x'.repeat(2 ** 21)
  await Promise.all(['a', long, 'b'].map((text) => buffer.append(text)))
  for (const text of ['a', long, 'b']) {
    expect((await buffer.read(1)).lines[0] === text).toBe(true)
    await buffer.sent(1)
  }
})

test('after any sequence of writes, reads, acknowledgements and crashes it has exactly what was not acknowledged', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), size: fc.integer({ min: 1, max: 900 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const), size: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), size: fc.integer({ min: 0, max: 40 }) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const path = newPath()
      let buffer = await FileBuffer.open(path, 8192)
      let expected: string[] = []
      for (const [index, { do: what, size }] of steps.entries()) {
        if (what === 'add') {
          const text = `${index}`.padEnd(size, 'x')
          const written = buffer.append(text)
          await written
          if (written !== undefined) expected.push(text)
        } else if (what === 'send') {
          const { lines } = await buffer.read(size)
          expect(lines).toEqual(expected.slice(0, lines.length))
          expect(lines.length).toBe(Math.min(size, expected.length))
          await buffer.sent(lines.length)
          expected = expected.slice(lines.length)
        } else {
          await buffer.close()
          // What a write that never ended leaves behind.
          appendFileSync(path, 'y'.repeat(size))
          buffer = await FileBuffer.open(path, 8192)
        }
        expect(buffer.events).toBe(expected.length)
        expect(statSync(path).size).toBeLessThanOrEqual(8192 + 40)
      }
      expect((await buffer.read(10_000)).lines).toEqual(expected)
      await buffer.close()
    }),
    { numRuns: 40 },
  )
})
