import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { AppError } from '../core/errors.ts'

/** Encrypts texts with a key that lives outside the store. The text of each says by which key it was sealed. */
export interface SecretBox {
  /** `about` is bound in: a text that is put elsewhere does not open there. Makes the first key when there is none. */
  seal(text: string, about: string): Promise<string>
  /** Throws `secret-key-missing` when the key is not there, or the text was changed. */
  open(sealed: string, about: string): Promise<string>
  /** False for what another key than the present one has sealed. */
  isCurrent(sealed: string): Promise<boolean>
  /** Makes a new key that is used from now on; the others still open until `forgetOld`. */
  beginRotation(): Promise<void>
  /** Nothing is sealed by another key any more. */
  forgetOld(): Promise<void>
}

/** A key of 32 bytes and the name that follows from it. */
export interface SecretKey {
  readonly id: string
  readonly bytes: Buffer
}

/** Where keys are kept: the first one seals. */
export interface KeyRing {
  read(): Promise<readonly SecretKey[]>
  /** Puts a new key in front; answers all. */
  add(key: SecretKey): Promise<readonly SecretKey[]>
  /** Leaves only the first one; answers it. */
  keepFirst(): Promise<readonly SecretKey[]>
}

const version = 'v1'
const [ivBytes, tagBytes, keyBytes] = [12, 16, 32]

/** A new random key. */
export function newSecretKey(): SecretKey {
  return secretKeyOf(randomBytes(keyBytes))
}

/** A key of given bytes; undefined unless they are 32. */
export function parseSecretKey(text: string): SecretKey | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === keyBytes ? secretKeyOf(bytes) : undefined
}

function secretKeyOf(bytes: Buffer): SecretKey {
  return { id: createHash('sha256').update(bytes).digest('hex').slice(0, 12), bytes }
}

/** AES-256-GCM with the keys of a ring, which is read at the first need. */
export function createSecretBox(ring: KeyRing): SecretBox {
  let known: Promise<readonly SecretKey[]> | undefined
  const keys = (): Promise<readonly SecretKey[]> => {
    known ??= ring.read().catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
  const current = async (): Promise<SecretKey> => {
    const [first] = await keys()
    if (first !== undefined) return first
    known = ring.add(newSecretKey())
    return (await known)[0]!
  }
  return {
    async seal(text, about) {
      const { id, bytes } = await current()
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', bytes, iv, { authTagLength: tagBytes }).setAAD(Buffer.from(about))
      const parts = [iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return `${version}.${id}.${Buffer.concat(parts).toString('base64url')}`
    },
    async open(sealed, about) {
      const [format, id, body = ''] = sealed.split('.')
      const key = (await keys()).find((each) => each.id === id)
      if (key === undefined || format !== version) throw missing(`they were encrypted with the key ${id}`)
      const bytes = Buffer.from(body, 'base64url')
      try {
        const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, ivBytes), {
          authTagLength: tagBytes,
        })
        decipher.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(-tagBytes))
        return decipher.update(bytes.subarray(ivBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        throw missing('what is stored was changed, or belongs to another subscription')
      }
    },
    async isCurrent(sealed) {
      return sealed.split('.')[1] === (await current()).id
    },
    async beginRotation() {
      await keys()
      known = ring.add(newSecretKey())
      await known
    },
    async forgetOld() {
      known = ring.keepFirst()
      await known
    },
  }
}

function missing(why: string): AppError {
  return new AppError(
    'secret-key-missing',
    `opening stored secrets failed: ${why}; put that key back into .millrace/secret-key or MILLRACE_SECRET_KEY, or give new secrets`,
  )
}
