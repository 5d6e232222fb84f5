import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished, test } from 'vitest'
import { append, openIn, temporaryFolder } from './fixture.ts'

/** A file system of a few MiB in memory, unmounted after the test; undefined where this user may not mount one. */
function smallFileSystem(size: string): string | undefined {
  const folder = temporaryFolder()
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]).status !== 0) return undefined
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]))
  return folder
}

const event = (n: number) => ({ source: 's', id: String(n), type: 't', data: JSON.stringify('x'.repeat(40_000)) })

// S0-14, G3
test('a disk that is full at COMMIT refuses the group as one that was full before, and takes it later', async (context) => {
  const folder = smallFileSystem('4m')
  if (folder === undefined) return context.skip('only root can mount a small file system, and only on Linux')
  const { expect } = context
  const ballast = join(folder, 'ballast')
  mkdirSync(ballast)
  writeFileSync(join(ballast, 'file'), Buffer.alloc(2 << 20))
  const store = await openIn(folder)
  let stored = 0
  let failure: unknown
  for (let n = 1; failure === undefined && n < 200; n++) {
    await append(store, [event(n)]).then(
      () => (stored = n),
      (error: unknown) => (failure = error),
    )
  }
  expect(failure).toMatchObject({
    code: 'store-full',
    message: expect.stringMatching(/database or disk is full\. Nothing of it was stored\. Free space/),
  })
  expect(stored).toBeGreaterThan(3)
  // The disk stays full: it is said of each write, and nothing of any is remembered.
  for (let again = 0; again < 3; again++) {
    await expect(append(store, [event(stored + 1)])).rejects.toMatchObject({ code: 'store-full' })
  }
  expect(store.head()).toBe(stored)
  rmSync(ballast, { recursive: true })
  expect(await append(store, [event(stored + 1)])).toEqual([{ status: 'stored', sequence: stored + 1 }])
  expect(await append(store, [event(stored)])).toEqual([{ status: 'duplicate', sequence: stored }])
  expect(await store.verify()).toMatchObject({ ok: true, problems: [] })
})
