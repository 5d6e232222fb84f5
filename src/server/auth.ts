import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError } from '../core/errors.ts'

export const scopes = ['ingest', 'read', 'admin'] as const
export type Scope = (typeof scopes)[number]

/** A token of the configuration: only its hash is kept. */
export interface Token {
  readonly name: string
  /** SHA-256 of the token as hex. */
  readonly hash: string
  readonly scopes: readonly Scope[]
  /** The only values of `source` it may publish; all that are not reserved when absent. */
  readonly sources?: readonly string[] | undefined
}

/** Who is asking. */
export interface Caller {
  /** The token's name; `anonymous` without one. */
  readonly name: string
  readonly scopes: ReadonlySet<Scope>
  readonly sources: ReadonlySet<string> | undefined
}

export interface AuthOptions {
  /** May do everything; usually the content of the file that `ensureAdminToken` made. */
  readonly adminToken?: string | undefined
  /** When there are any, ingest and reading need one too. */
  readonly tokens?: readonly Token[] | undefined
}

/** Tells who a caller is by the `Authorization` header. */
export interface Auth {
  /** Throws `unauthorized` for a header that names no known token. */
  identify(authorization: string | undefined): Caller
}

const tokenPattern = /^Bearer +([\x21-\x7e]{1,512})$/i

/** Makes the check of tokens: hashes are compared in constant time, and always all of them. */
export function createAuth(options: AuthOptions): Auth {
  const tokens = (options.tokens ?? []).map((token) => ({ hash: hashOf(token), caller: callerOf(token) }))
  if (options.adminToken !== undefined) {
    const caller = { name: 'admin', scopes: new Set(scopes), sources: undefined }
    tokens.push({ hash: sha256(options.adminToken.trim()), caller })
  }
  const openScopes: readonly Scope[] = (options.tokens ?? []).length === 0 ? ['ingest', 'read'] : []
  const anonymous: Caller = { name: 'anonymous', scopes: new Set(openScopes), sources: undefined }
  return {
    identify(authorization) {
      if (authorization === undefined) return anonymous
      const presented = tokenPattern.exec(authorization)?.[1]
      if (presented === undefined) {
        throw new AppError('unauthorized', 'the Authorization header is not understood: send "Bearer" and a token')
      }
      const hash = sha256(presented)
      let found: Caller | undefined
      for (const token of tokens) if (timingSafeEqual(token.hash, hash)) found = token.caller
      if (found === undefined) throw new AppError('unauthorized', 'the token is not known here')
      return found
    },
  }
}

/** Throws unless the caller may: 401 for one who showed no token, 403 for one whose token is not enough. */
export function requireScope(caller: Caller, scope: Scope): void {
  if (caller.scopes.has(scope)) return
  if (caller.name === 'anonymous') {
    throw new AppError(
      'unauthorized',
      `this needs a token with the scope ${scope}: send it as "Authorization: Bearer …"`,
    )
  }
  throw new AppError('forbidden', `the token ${caller.name} does not have the scope ${scope}`)
}

/** The SHA-256 of a token as hex: what the configuration holds in place of the token. */
export function tokenHash(token: string): string {
  return sha256(token).toString('hex')
}

/** Reads the admin token from its file and makes it when there is none: 256 random bits, readable by the owner only. */
export async function ensureAdminToken(path: string): Promise<string> {
  const known = await readToken(path)
  if (known !== undefined) return known
  await mkdir(dirname(path), { recursive: true })
  const part = `${path}.${randomBytes(6).toString('hex')}`
  try {
    const file = await open(part, 'wx', 0o600)
    try {
      await file.writeFile(`mra_${randomBytes(32).toString('base64url')}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    // A link fails when the file is there: of two processes that start at once, the first one's token counts.
    await link(part, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(part, { force: true })
  }
  const made = await readToken(path)
  if (made === undefined)
    throw new AppError('internal', `making the admin token in ${path} failed: the file is not there`)
  return made
}

async function readToken(path: string): Promise<string | undefined> {
  try {
    const token = (await readFile(path, 'utf8')).trim()
    if (token.length >= 22) return token
    throw new AppError(
      'config-invalid',
      `the admin token in ${path} is shorter than 22 characters: remove the file, and a new one is made`,
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function callerOf(token: Token): Caller {
  const sources = token.sources === undefined ? undefined : new Set(token.sources)
  return { name: token.name, scopes: new Set(token.scopes), sources }
}

function hashOf({ name, hash }: Token): Buffer {
  if (/^[0-9a-f]{64}$/i.test(hash)) return Buffer.from(hash, 'hex')
  throw new AppError('config-invalid', `the hash of the token ${name} is not a SHA-256 in hex (64 digits)`)
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
