import { createHash, createHmac, sign, timingSafeEqual, verify } from 'node:crypto'
import { createTextHmac } from './hmac.ts'
import type { SigningKey } from './signing-secret.ts'

export {
  generateKeyPair,
  generateSharedSecret,
  type ParsedSecret,
  parseSigningSecret,
  parseVerifyingSecret,
  type SigningKey,
} from './signing-secret.ts'

/** Gives the value of `webhook-signature` for exactly these bytes. */
export type Sign = (id: string, timestampSeconds: number, body: string | Uint8Array) => string

/** Makes the signature of Standard Webhooks: one for each key, with a space between. The id must have no dot. */
export function createSigner(keys: readonly SigningKey[]): Sign {
  const signers = keys.map(signerOf)
  const [only, ...others] = signers
  if (only !== undefined && others.length === 0) return only
  return (...signed) => signers.map((sign) => sign(...signed)).join(' ')
}

function signerOf({ version, key }: SigningKey): Sign {
  if (version === 'v1a')
    return (id, seconds, body) => `v1a,${sign(null, bytesOf(id, String(seconds), body), key).toString('base64')}`
  const hmac = createTextHmac(key.export())
  return (id, seconds, body) => {
    if (typeof body === 'string') return `v1,${hmac(`${id}.${seconds}.${body}`)}`
    return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')}`
  }
}

function bytesOf(id: string, seconds: string, body: string | Uint8Array): Buffer {
  const head = `${id}.${seconds}.`
  return typeof body === 'string' ? Buffer.from(head + body) : Buffer.concat([Buffer.from(head), body])
}

/** What a request presents. */
export interface Presented {
  readonly id: string
  readonly timestamp: string
  readonly signature: string
  readonly body: string | Uint8Array
}

/** How many signatures of one request are looked at: a rotation needs two, and each costs time. */
export const maxSignatures = 8

/**
 * Tells whether a request was signed with one of the keys, not longer ago (or later) than `toleranceMs`. Never says why not.
 * Every listed signature is compared with every key, in constant time.
 */
export function createVerifier(
  keys: readonly SigningKey[],
  { toleranceMs = 300_000 }: { readonly toleranceMs?: number } = {},
): (presented: Presented, nowMs: number) => boolean {
  return ({ id, timestamp, signature: listed, body }, nowMs) => {
    // With a dot in it, the id could be read as another id and the beginning of another time.
    if (id === '' || id.includes('.') || !/^\d{1,12}$/.test(timestamp)) return false
    if (Math.abs(nowMs - Number(timestamp) * 1000) > toleranceMs) return false
    const bytes = bytesOf(id, timestamp, body)
    const presented = listed.split(' ').slice(0, maxSignatures)
    let isFound = false
    for (const { version, key } of keys) {
      const expected = version === 'v1' ? createHmac('sha256', key).update(bytes).digest() : undefined
      for (const each of presented) {
        if (!each.startsWith(`${version},`)) continue
        const given = Buffer.from(each.slice(version.length + 1), 'base64')
        const isSame = expected === undefined ? isSignedBy(key, bytes, given) : isEqual(given, expected)
        isFound = isSame || isFound
      }
    }
    return isFound
  }
}

function isSignedBy(key: SigningKey['key'], content: Uint8Array, given: Uint8Array): boolean {
  return given.length === 64 && verify(null, content, key, given)
}

/** Both sides are hashed first, so that lengths are equal whatever was presented. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return timingSafeEqual(sha256(a), sha256(b))
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
