import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'

/** A key that signs, or that verifies, ready for use. */
export interface SigningKey {
  /** `v1`: HMAC-SHA256 with a secret that both sides know. `v1a`: ed25519 with a key pair. */
  readonly version: 'v1' | 'v1a'
  readonly key: KeyObject
}

/** What is wrong is said without the secret. */
export type ParsedSecret =
  | { readonly ok: true; readonly key: SigningKey }
  | { readonly ok: false; readonly problem: string }

const bad = (problem: string): ParsedSecret => ({ ok: false, problem })
const base64 = /^[A-Za-z0-9+/]+={0,2}$/
/** Bytes of a shared secret: fewer can be guessed, more gain nothing. */
const [leastBytes, mostBytes] = [24, 64]

/** Reads a secret that signs: `whsec_…` (shared) or `whsk_…` (private key). */
export function parseSigningSecret(text: string): ParsedSecret {
  const [prefix, bytes] = partsOf(text)
  if (prefix === 'whpk_') return bad('whpk_ is the public key of the receiver: whsk_, the private one, is needed')
  if (prefix === '') return bad('a secret begins with whsec_ (shared) or whsk_ (private key)')
  if (prefix === 'whsec_') return sharedKey(bytes)
  if (bytes?.length !== 32 && bytes?.length !== 64) return bad('a private key is whsk_ and 32 or 64 bytes in base64')
  return { ok: true, key: { version: 'v1a', key: privateKey(bytes) } }
}

/** Reads a secret that verifies: `whsec_…` (shared) or `whpk_…` (public key). */
export function parseVerifyingSecret(text: string): ParsedSecret {
  const [prefix, bytes] = partsOf(text)
  if (prefix === 'whsk_') return bad('whsk_ is the private key of the sender: whpk_, the public one, is needed')
  if (prefix === '') return bad('a secret begins with whsec_ (shared) or whpk_ (public key)')
  if (prefix === 'whsec_') return sharedKey(bytes)
  if (bytes?.length !== 32) return bad('a public key is whpk_ and 32 bytes in base64')
  const key = createPublicKey({ key: Buffer.concat([publicHead, bytes]), format: 'der', type: 'spki' })
  return { ok: true, key: { version: 'v1a', key } }
}

function partsOf(text: string): ['whsec_' | 'whsk_' | 'whpk_' | '', Buffer | undefined] {
  const prefix = (['whsec_', 'whsk_', 'whpk_'] as const).find((each) => text.startsWith(each)) ?? ''
  const rest = text.slice(prefix.length)
  return [prefix, base64.test(rest) ? Buffer.from(rest, 'base64') : undefined]
}

function sharedKey(bytes: Buffer | undefined): ParsedSecret {
  if (bytes === undefined || bytes.length < leastBytes || bytes.length > mostBytes)
    return bad(`a shared secret is whsec_ and ${leastBytes} to ${mostBytes} bytes in base64`)
  return { ok: true, key: { version: 'v1', key: createSecretKey(bytes) } }
}

// What stands before the bytes of an ed25519 key in its DER forms (RFC 8410).
const privateHead = Buffer.from('302e020100300506032b657004220420', 'hex')
const publicHead = Buffer.from('302a300506032b6570032100', 'hex')

/** Of 64 bytes the second half is the public key, which follows from the first. */
function privateKey(bytes: Buffer): KeyObject {
  const key = Buffer.concat([privateHead, bytes.subarray(0, 32)])
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

/** A new shared secret: 32 random bytes. */
export function generateSharedSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/** A new key pair: the secret stays here, the public key goes to the receiver. */
export function generateKeyPair(): { readonly secret: string; readonly publicKey: string } {
  const pair = generateKeyPairSync('ed25519')
  const seed = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(privateHead.length)
  const open = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(publicHead.length)
  return {
    secret: `whsk_${Buffer.concat([seed, open]).toString('base64')}`,
    publicKey: `whpk_${open.toString('base64')}`,
  }
}
