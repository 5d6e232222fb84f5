import { spawn } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { append, events, openIn, temporaryFolder } from './fixture.ts'

/** Runs a script in another process until it is killed; answers what it printed. */
async function runUntilKilled(script: string, folder: string, lines: number): Promise<string[]> {
  const file = join(folder, 'child.ts')
  const store = fileURLToPath(new URL('./open.ts', import.meta.url))
  writeFileSync(file, `import { openSqlite } from ${JSON.stringify(store)}\n${script}`)
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  for await (const chunk of child.stdout) {
    output += chunk
    if (output.split('\n').length > lines) child.kill('SIGKILL')
  }
  return output.split('\n').slice(0, -1)
}

const openInChild = (folder: string): string => `
const platform = { clock: { now: () => Date.now(), monotonic: () => performance.now() } }
const store = await openSqlite({ path: 'events.db', durability: 'disk', cacheBytes: 8e6, readOnly: false, acceptLoss: false },
  { directory: ${JSON.stringify(folder)}, platform })`

// G1, S0-16, S0-17, K18
test('after kill -9 every acknowledged event is there, each batch whole, and a repeat is a duplicate', async () => {
  const folder = temporaryFolder()
  const script = `${openInChild(folder)}
    await Promise.all([0, 1, 2, 3].map(async (lane) => {
      for (let batch = 0; ; batch++) {
        const events = Array.from({ length: 25 }, (_, n) => ({ source: 'lane-' + lane, id: batch + '-' + n, type: 'a.b', data: '{}' }))
        await store.commit([{ events, cursor: { source: 'lane-' + lane, value: String(batch) } }])
        process.stdout.write(lane + ' ' + batch + '\\n')
      }
    }))`
  const acked = await runUntilKilled(script, folder, 60)
  expect(acked.length).toBeGreaterThan(40)
  const store = await openIn(folder)
  expect(store.head() % 25).toBe(0)
  const seen = new Set((await store.read(0, 100_000)).map((event) => `${event.source}/${event.id}`))
  expect(seen.size).toBe(store.head())
  for (const line of acked) {
    const [lane, batch] = line.split(' ')
    for (let n = 0; n < 25; n++) expect(seen.has(`lane-${lane}/${batch}-${n}`)).toBe(true)
    // K2: the cursor is never behind an acknowledged batch.
    expect(Number(await store.cursor(`lane-${lane}`))).toBeGreaterThanOrEqual(Number(batch))
  }
  const repeat = await append(store, [{ source: 'lane-0', id: '0-0', type: 'a.b', data: '{}' }])
  expect(repeat[0]?.status).toBe('duplicate')
  expect(await store.verify()).toMatchObject({ ok: true, problems: [] })
})

// K10 of quarantine: the enemy of a mark is a dying process.
test('a suspect mark survives kill -9', async () => {
  const folder = temporaryFolder()
  const state = `{ start: 0, examined: 0, follows: true, pending: [], counters: {}, state: 'running' }`
  const script = `${openInChild(folder)}
    const { epoch } = await store.openLedger('crm', 0, 'child', ${state})
    await store.mark('crm', 0, epoch, { upTo: 7 })
    process.stdout.write('marked\\n')
    setInterval(() => process.stdout.write('.\\n'), 5)`
  await runUntilKilled(script, folder, 1)
  const store = await openIn(folder)
  expect((await store.ledgers())[0]?.mark).toEqual({ upTo: 7 })
})

// G5
test('a changed byte of an event is reported with its sequence and never served', async () => {
  const folder = temporaryFolder()
  const store = await openIn(folder)
  await append(store, events(20, 1, { data: '{"note":"needle"}' }))
  await store.close()
  const path = join(folder, 'events.db')
  // The last one in the page is the first one written.
  const at = readFileSync(path).lastIndexOf('needle')
  const file = openSync(path, 'r+')
  writeSync(file, 'N', at)
  closeSync(file)
  const damaged = await openIn(folder)
  await expect(damaged.read(0, 10)).rejects.toMatchObject({
    code: 'store-corrupt',
    facts: { sequence: 1 },
    message: expect.stringContaining('event 1 '),
  })
  expect((await damaged.read(1, 100)).length).toBe(19)
  const report = await damaged.verify()
  expect(report.ok).toBe(false)
  expect(report.problems.join()).toContain('event 1:')
})

// G5
test('a deleted row is found by verify', async () => {
  const folder = temporaryFolder()
  const store = await openIn(folder)
  await append(store, events(20))
  await store.close()
  const raw = new DatabaseSync(join(folder, 'events.db'))
  raw.exec('DELETE FROM events WHERE sequence = 7')
  raw.close()
  expect((await (await openIn(folder)).verify()).problems).toEqual(['event 7 is missing'])
})

// G5
test('an older copy put back is refused until the loss is accepted, and is then a new incarnation', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'events.db')
  const first = await openIn(folder)
  await append(first, events(5))
  await first.close()
  copyFileSync(path, `${path}.old`)
  const second = await openIn(folder)
  await append(second, events(5, 6))
  await second.close()
  copyFileSync(`${path}.old`, path)
  await expect(openIn(folder)).rejects.toMatchObject({
    code: 'store-corrupt',
    message: expect.stringContaining('acked tail'),
  })
  const accepted = await openIn(folder, { acceptLoss: true })
  expect(accepted.head()).toBe(5)
  expect(accepted.incarnation).not.toBe(first.incarnation)
  await accepted.close()
  expect((await openIn(folder)).incarnation).toBe(accepted.incarnation)
})

// S0-14, G3, S4-55
test('a full disk refuses the group, keeps the process and the store alive, and later writes work', async () => {
  const folder = temporaryFolder()
  const store = await openIn(folder, { maxPages: 60, dedup: { recentKeys: 64, fanIn: 2 } })
  const large = (n: number) => ({ source: 's', id: String(n), type: 't', data: JSON.stringify('x'.repeat(20_000)) })
  let stored = 0
  let failure: unknown
  for (let n = 1; failure === undefined && n < 100; n++) {
    await append(store, [large(n)]).then(
      () => (stored = n),
      (error: unknown) => (failure = error),
    )
  }
  expect(failure).toMatchObject({ code: 'store-full' })
  expect(store.head()).toBe(stored)
  // Not a duplicate: nothing of the refused event was remembered.
  await expect(append(store, [large(stored + 1)])).rejects.toMatchObject({ code: 'store-full' })
  await store.prune({ events: stored - 1 })
  expect(await append(store, [large(stored + 1)])).toEqual([{ status: 'stored', sequence: stored + 1 }])
  expect((await append(store, [large(stored)]))[0]).toEqual({ status: 'duplicate', sequence: stored })
  expect(await store.verify()).toMatchObject({ ok: true })
})

// S1-39: one owner.
test('a second opener is told who holds the store, and a link to the file is no way round', async () => {
  const folder = temporaryFolder()
  await openIn(folder)
  await expect(openIn(folder)).rejects.toMatchObject({ code: 'store-locked' })
  symlinkSync(join(folder, 'events.db'), join(folder, 'link.db'))
  await expect(openIn(folder, { path: 'link.db' })).rejects.toMatchObject({ code: 'store-locked' })
})

// SEC-78
test.each<[string, string, (path: string) => void]>([
  ['store-foreign', 'a database of another application', (path) => new DatabaseSync(path).exec('CREATE TABLE t (a)')],
  ['store-foreign', 'a file that is no database', (path) => writeFileSync(path, 'x'.repeat(5000))],
])('%s: %s is refused and left as it was', async (code, _what, make) => {
  const folder = temporaryFolder()
  const path = join(folder, 'events.db')
  make(path)
  const before = readFileSync(path)
  await expect(openIn(folder)).rejects.toMatchObject({ code })
  expect(readFileSync(path)).toEqual(before)
})

// SEC-78, G31, S1-38
test.each<[string, string]>([
  ['store-newer', 'PRAGMA user_version = 99'],
  ['store-foreign', 'CREATE TRIGGER evil AFTER INSERT ON events BEGIN DELETE FROM events; END'],
  ['store-foreign', 'ALTER TABLE events ADD COLUMN more TEXT'],
])('%s: a store with "%s" is refused', async (code, change) => {
  const folder = temporaryFolder()
  await (await openIn(folder)).close()
  const raw = new DatabaseSync(join(folder, 'events.db'))
  raw.exec(change)
  raw.close()
  await expect(openIn(folder)).rejects.toMatchObject({ code })
})

// S1-37
test('file and folder are for this user only, and the file says whose it is', async () => {
  const folder = temporaryFolder()
  const store = await openIn(folder, { path: 'deep/er/events.db' })
  await append(store, events(1))
  const path = join(folder, 'deep/er/events.db')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600)
  expect(statSync(join(folder, 'deep/er')).mode & 0o777).toBe(0o700)
  await store.close()
  const header = Buffer.alloc(100)
  const file = openSync(path, 'r')
  readSync(file, header)
  closeSync(file)
  expect(header.readUInt32BE(68)).toBe(0x4d4c5243)
  rmSync(path)
})
