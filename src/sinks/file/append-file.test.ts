import { appendFile, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAppendFile, type Rotation } from './append-file.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-file-'))
  path = join(folder, 'events.ndjson')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const day = 86_400_000
const now = Date.UTC(2026, 0, 2, 12)
const text = () => readFile(path, 'utf8')

async function append(lines: string, rotate?: Rotation, at = now): Promise<void> {
  const file = await openAppendFile({ path, rotate, isSynced: true })
  await file.append(Buffer.from(lines), at)
  await file.close()
}

describe('the append file', () => {
  it('makes the file and its folder, and keeps what is there', async () => {
    path = join(folder, 'a', 'b', 'events.ndjson')
    await append('1\n')
    await append('2\n3\n')
    expect(await text()).toBe('1\n2\n3\n')
  })

  it.each([
    ['{"a":1}\n{"b":', '{"a":1}\nnew\n'],
    ['{"b":', 'new\n'],
    [`{"a":1}\n{"b":"${'x'.repeat(200_000)}`, '{"a":1}\nnew\n'],
    // Whole JSON was written by somebody else: nothing of it is lost.
    ['{"a":1}\n{"b":2}', '{"a":1}\n{"b":2}\nnew\n'],
    ['{"a":1}\n', '{"a":1}\nnew\n'],
    ['', 'new\n'],
  ])('cuts off the half line that a crash has left (%#)', async (before, after) => {
    await writeFile(path, before)
    await append('new\n')
    expect(await text()).toBe(after)
  })

  it('begins a new file before the size is exceeded and keeps as many as it shall', async () => {
    const rotate = { size: 4, keep: 2, daily: false }
    const file = await openAppendFile({ path, rotate, isSynced: true })
    for (const line of ['1\n', '2\n', '3\n', 'four and more\n', '5\n', '6\n']) await file.append(Buffer.from(line), now)
    await file.close()
    expect((await readdir(folder)).sort()).toEqual(['events.ndjson', 'events.ndjson.1', 'events.ndjson.2'])
    expect(await readFile(`${path}.2`, 'utf8')).toBe('3\n')
    expect(await readFile(`${path}.1`, 'utf8')).toBe('four and more\n')
    expect(await text()).toBe('5\n6\n')
  })

  it('begins a new file with a new day, also after a restart', async () => {
    const rotate = { size: 1000, keep: 5, daily: true }
    await append('1\n', rotate)
    await utimes(path, (now - day) / 1000, (now - day) / 1000)
    await append('2\n', rotate)
    expect(await text()).toBe('2\n')
    expect(await readFile(`${path}.1`, 'utf8')).toBe('1\n')
    await utimes(path, now / 1000, now / 1000)
    const file = await openAppendFile({ path, rotate, isSynced: true })
    await file.append(Buffer.from('3\n'), now + day)
    await file.append(Buffer.from('4\n'), now + day + 1)
    await file.close()
    expect(await text()).toBe('3\n4\n')
  })

  it('follows when somebody else moves or deletes the file', async () => {
    const file = await openAppendFile({ path, isSynced: false })
    await file.append(Buffer.from('1\n'), now)
    await rename(path, `${path}.moved`)
    await file.append(Buffer.from('2\n'), now)
    await rm(path)
    await file.append(Buffer.from('3\n'), now)
    await file.close()
    expect(await text()).toBe('3\n')
    expect(await readFile(`${path}.moved`, 'utf8')).toBe('1\n')
  })

  it('appends beside another writer', async () => {
    const file = await openAppendFile({ path, isSynced: true })
    await file.append(Buffer.from('1\n'), now)
    await appendFile(path, 'other\n')
    await file.append(Buffer.from('2\n'), now)
    await file.close()
    expect(await text()).toBe('1\nother\n2\n')
  })

  it('says what is wrong with a path that is no file', async () => {
    await expect(openAppendFile({ path: folder, isSynced: true })).rejects.toThrow(/opening .* to append events failed/)
    await expect(openAppendFile({ path: '/dev/null', isSynced: true })).rejects.toThrow(/not a regular file/)
  })
})
