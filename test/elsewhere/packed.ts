import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

// The package as users get it: compiled and packed, with nothing of `src`.

/** The repository's own folder. */
export const root = resolve(import.meta.dirname, '../..')

/** Our own `package.json`. */
export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
}

/** Compiles and packs the package below a folder, and answers the path of its archive. */
export function packBelow(folder: string): string {
  const staged = join(folder, 'staged')
  mkdirSync(staged)
  for (const name of ['package.json', 'bin', 'docs/reference', 'millrace.schema.json'])
    cpSync(join(root, name), join(staged, name), { recursive: true })
  // Types are checked by the checks; what is tried here is what comes out.
  execFileSync(join(root, 'node_modules/.bin/tsc'), [
    ...['-p', join(root, 'tsconfig.build.json')],
    ...['--noCheck', '--outDir', join(staged, 'dist')],
  ])
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--offline', '--silent'], { cwd: staged })
  return join(staged, packed.toString().trim())
}

/** The environment of a user: nothing that our own scripts and our test runner set. */
export function userEnvironment(): NodeJS.ProcessEnv {
  const { PORT: _port, NODE_OPTIONS: _options, NODE_ENV: _env, NODE_COMPILE_CACHE: _cache, ...env } = process.env
  return { ...env, NO_COLOR: '1' }
}
