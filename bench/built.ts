import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Builds the package and lays it out as users have it: compiled, without its sources, the benchmarks beside it. Answers the
 * folder of the benchmarks there. What runs from the sources also holds the type stripper, once a thread.
 */
export function buildPackage(root: string): string {
  const copy = join(root, '.millrace/built')
  rmSync(copy, { recursive: true, force: true })
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  mkdirSync(copy, { recursive: true })
  for (const part of ['dist', 'bin', 'package.json', 'bench']) {
    cpSync(join(root, part), join(copy, part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return join(copy, 'bench')
}
