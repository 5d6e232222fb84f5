import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** The HTTP client library, loaded with the first connection: a pipeline that sends nothing does without its 29 MiB. */
export function httpLibrary(): typeof import('undici') {
  return require('undici') as typeof import('undici')
}
