import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { AppError, messageOf } from '../core/errors.ts'
import { type KeyRing, parseSecretKey, type SecretKey } from './secret-box.ts'

/** The variables of the environment that matter here. */
export type KeyEnvironment = Readonly<Record<'MILLRACE_SECRET_KEY' | 'MILLRACE_SECRET_KEY_FILE', string | undefined>>

/**
 * Where the keys of stored secrets are: in `MILLRACE_SECRET_KEY` (32 bytes in base64; the first of several seals, the
 * others only open), in the file that `MILLRACE_SECRET_KEY_FILE` names, or in `.millrace/secret-key`, made at the first need.
 */
export function secretKeyRing(directory: string, env: Partial<KeyEnvironment>): KeyRing {
  const text = env.MILLRACE_SECRET_KEY
  if (text !== undefined && text !== '') return fixedRing(text)
  const file = env.MILLRACE_SECRET_KEY_FILE
  return fileRing(resolve(directory, file === undefined || file === '' ? join('.millrace', 'secret-key') : file))
}

function keysIn(text: string, where: string): SecretKey[] {
  return text
    .split(/[\s,]+/)
    .filter((word) => word !== '')
    .map((word) => {
      const key = parseSecretKey(word)
      if (key === undefined) throw unusable(where, 'a key is 32 bytes in base64 (openssl rand -base64 32)')
      return key
    })
}

function unusable(where: string, why: string): AppError {
  return new AppError('secret-key-missing', `reading the key of stored secrets from ${where} failed: ${why}`)
}

/** Keys that only who runs the process can change: a rotation re-encrypts to the first one. */
function fixedRing(text: string): KeyRing {
  const where = 'MILLRACE_SECRET_KEY'
  const read = async (): Promise<readonly SecretKey[]> => keysIn(text, where)
  return { read, add: read, keepFirst: async () => (await read()).slice(0, 1) }
}

function fileRing(path: string): KeyRing {
  const read = async (): Promise<readonly SecretKey[]> => {
    try {
      return keysIn(await readFile(path, 'utf8'), path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error instanceof AppError ? error : unusable(path, messageOf(error))
    }
  }
  const write = async (keys: readonly SecretKey[]): Promise<readonly SecretKey[]> => {
    await replaceFile(path, keys.map(({ bytes }) => `${bytes.toString('base64')}\n`).join('')).catch(
      (error: unknown) => {
        throw new AppError(
          'secret-key-missing',
          `writing the key of stored secrets to ${path} failed: ${messageOf(error)}`,
        )
      },
    )
    return keys
  }
  return {
    read,
    add: async (key) => write([key, ...(await read())]),
    keepFirst: async () => write((await read()).slice(0, 1)),
  }
}

/** All or nothing, readable by its owner alone, and on disk before anything is sealed with it. */
async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const part = `${path}.${process.pid}.part`
  try {
    const file = await open(part, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await chmod(part, 0o600)
    await rename(part, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  // Windows has no such thing; there the rename is as good as it gets.
  if (process.platform === 'win32') return
  const folder = await open(path)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
