import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Rate as WrittenRate } from '../core/duration.ts'
import { AppError } from '../core/errors.ts'
import type { PayloadView } from '../plugin/server-schema.ts'
import { type Rate, rateOf } from './pressure.ts'

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
  /** Milliseconds since 1970 from which it is not known. */
  readonly expiresMs?: number | undefined
  /** Requests it may make; what the server allows everybody when absent. */
  readonly rate?: WrittenRate | undefined
  /** What it is shown of the content of events; `masked` when absent. */
  readonly payload?: PayloadView | undefined
}

/** Who is asking. */
export interface Caller {
  /** The token's name; `anonymous` without one. */
  readonly name: string
  readonly scopes: ReadonlySet<Scope>
  readonly sources: ReadonlySet<string> | undefined
  readonly expiresMs?: number | undefined
  /** Its own, in place of the general one. */
  readonly rate?: Rate | undefined
  /** `masked` when absent. */
  readonly payload?: PayloadView | undefined
}

/** True for one who showed no token, or none that is known. */
export function isAnonymous(caller: Caller): boolean {
  return caller === nobody || caller === local
}

export interface AuthOptions {
  /** May do everything; usually the content of the file that `ensureAdminToken` made. */
  readonly adminToken?: string | undefined
  /** When there are any, only a caller on this machine ingests and reads without one. */
  readonly tokens?: readonly Token[] | undefined
}

/** Tells who a caller is by the `Authorization` header. */
export interface Auth {
  /** Throws `unauthorized` for a header that names no known token. */
  identify(authorization: string): Caller
  /** Who shows no token; `isLocal` says that it is surely a program of this machine. */
  anonymous(isLocal: boolean): Caller
  /** True when somebody without a token is the same from everywhere, so that nobody need find out. */
  readonly isOpen: boolean
  /** True until the caller's token expires or is taken away: asked again and again while an answer is streamed. */
  isCurrent(caller: Caller): boolean
  /** Takes other tokens in place of those of the configuration; the admin token stays. */
  replace(tokens: readonly Token[]): void
}

const tokenPattern = /^Bearer +([\x21-\x7e]{1,512})$/i

/** Who showed no token that is known, from anywhere. */
export const nobody: Caller = { name: 'anonymous', scopes: new Set(), sources: undefined }
const local: Caller = { name: 'anonymous', scopes: new Set(['ingest', 'read']), sources: undefined }

interface Known {
  readonly hash: Buffer
  readonly caller: Caller
}

/**
 * Makes the check of tokens: hashes are compared in constant time, and always all of them (SEC-25). `isClosed` says that
 * others reach the server, so that having no tokens lets nobody in.
 */
export function createAuth(options: AuthOptions, isClosed = false, nowMs: () => number = Date.now): Auth {
  const admin: Known[] = []
  if (options.adminToken !== undefined) {
    const caller = { name: 'admin', scopes: new Set(scopes), sources: undefined }
    admin.push({ hash: sha256(options.adminToken.trim()), caller })
  }
  const knownOf = (tokens: readonly Token[]): readonly Known[] => [
    ...tokens.map((token) => ({ hash: hashOf(token), caller: callerOf(token) })),
    ...admin,
  ]
  let known = knownOf(options.tokens ?? [])
  const isAlive = ({ expiresMs }: Caller): boolean => expiresMs === undefined || nowMs() < expiresMs
  const isOpen = (): boolean => !isClosed && known.length === admin.length
  return {
    get isOpen() {
      return isOpen()
    },
    anonymous: (isLocal) => (isLocal || isOpen() ? local : nobody),
    identify(authorization) {
      const presented = tokenPattern.exec(authorization)?.[1]
      if (presented === undefined) {
        throw new AppError('unauthorized', 'the Authorization header is not understood: send "Bearer" and a token')
      }
      const hash = sha256(presented)
      let found: Caller | undefined
      for (const token of known) if (timingSafeEqual(token.hash, hash)) found = token.caller
      if (found === undefined || !isAlive(found)) throw new AppError('unauthorized', 'the token is not known here')
      return found
    },
    isCurrent(caller) {
      if (isAnonymous(caller)) return true
      return isAlive(caller) && known.some((token) => token.caller === caller)
    },
    replace(tokens) {
      const before = new Map(known.map((each) => [fingerprint(each), each]))
      // A token that stays the same keeps its caller, and with it what is being streamed to it.
      known = knownOf(tokens).map((each) => before.get(fingerprint(each)) ?? each)
    },
  }
}

function fingerprint({ hash, caller }: Known): string {
  const { name, scopes: allowed, sources, expiresMs, rate, payload } = caller
  return JSON.stringify([hash.toString('hex'), name, [...allowed], sources && [...sources], expiresMs, rate, payload])
}

/** Throws unless the caller may: 401 for one who showed no token, 403 for one whose token is not enough. */
export function requireScope(caller: Caller, scope: Scope): void {
  if (caller.scopes.has(scope)) return
  if (isAnonymous(caller)) {
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
  return {
    name: token.name,
    scopes: new Set(token.scopes),
    sources,
    expiresMs: token.expiresMs,
    rate: rateOf(token.rate),
    payload: token.payload,
  }
}

function hashOf({ name, hash }: Token): Buffer {
  if (/^[0-9a-f]{64}$/i.test(hash)) return Buffer.from(hash, 'hex')
  throw new AppError('config-invalid', `the hash of the token ${name} is not a SHA-256 in hex (64 digits)`)
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
