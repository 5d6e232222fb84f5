import { AppError } from '../../core/errors.ts'

/**
 * The modules of Node that the buffer needs. Asked for by name and not imported, so that whoever bundles the client for a
 * browser finds nothing in it that a browser does not have.
 */
export function nodeModules() {
  const get = globalThis.process?.getBuiltinModule
  if (get === undefined) {
    throw new AppError(
      'config-invalid',
      'the buffer was not opened: it needs Node 20.16 or newer; without files choose onUnavailable: throw or drop',
    )
  }
  return {
    fs: get('node:fs/promises'),
    net: get('node:net'),
    os: get('node:os'),
    path: get('node:path'),
    crypto: get('node:crypto'),
  }
}
