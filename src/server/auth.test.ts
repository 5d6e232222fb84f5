import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createAuth, ensureAdminToken, tokenHash } from './auth.ts'
import { createRateLimit } from './pressure.ts'

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-auth-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

// SEC-45
test('the admin token is made once, for its owner only, with 256 random bits', async () => {
  const directory = await folder()
  const path = join(directory, '.millrace', 'admin-token')
  const tokens = await Promise.all([ensureAdminToken(path), ensureAdminToken(path), ensureAdminToken(path)])
  expect(new Set(tokens).size).toBe(1)
  expect(tokens[0]).toMatch(/^mra_[\w-]{43}$/)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readFile(path, 'utf8')).toBe(`${tokens[0]}\n`)
  expect(await readdir(join(directory, '.millrace'))).toEqual(['admin-token'])
  expect(await ensureAdminToken(path)).toBe(tokens[0])
})

test('an admin token that is too short is refused', async () => {
  const path = join(await folder(), 'admin-token')
  await writeFile(path, 'short\n')
  await chmod(path, 0o600)
  await expect(ensureAdminToken(path)).rejects.toMatchObject({ code: 'config-invalid' })
})

test('a hash that is not one is refused at the start', () => {
  const token = { name: 'shop', hash: 'plain-token', scopes: ['ingest'] } as const
  expect(() => createAuth({ tokens: [token] })).toThrow(/shop/)
})

test('the admin token may do everything, and a token only what it says', () => {
  const auth = createAuth({
    adminToken: 'a'.repeat(30),
    tokens: [{ name: 'shop', hash: tokenHash('s'), scopes: ['read'] }],
  })
  expect([...auth.identify(`bearer ${'a'.repeat(30)}`).scopes]).toEqual(['ingest', 'read', 'admin'])
  expect([...auth.identify('Bearer s').scopes]).toEqual(['read'])
  expect([...auth.anonymous(false).scopes]).toEqual([])
})

// SEC-35
test('the rate of one caller does not touch another, and forgotten callers cost nothing', () => {
  let now = 0
  const limit = createRateLimit({ perSecond: 1, burst: 1 }, () => now, 2)
  limit('a')
  expect(() => limit('a')).toThrow(/more than 1/)
  limit('b')
  now += 1_000
  limit('a')
  limit('c')
  limit('d')
  limit('a')
})
