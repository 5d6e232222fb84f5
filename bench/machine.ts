import { execFileSync } from 'node:child_process'
import { statfsSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly sqlite: string
  /** The number that statfs gives; 61267 is ext4, 16914836 tmpfs. */
  readonly fileSystem: number
  readonly loadBefore: readonly number[]
  readonly loadAfter: readonly number[]
}

function rounded(load: readonly number[]): number[] {
  return load.map((value) => Math.round(value * 100) / 100)
}

/** The machine as it is now; call the result at the end. */
export function machineNow(directory: string): () => Machine {
  const loadBefore = rounded(loadavg())
  return () => ({
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    sqlite: process.versions['sqlite'] ?? 'unknown',
    fileSystem: statfsSync(directory).type,
    loadBefore,
    loadAfter: rounded(loadavg()),
  })
}

/** The short commit, with `-changed` when files differ from it. */
export function commitNow(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return (
      git('rev-parse', '--short', 'HEAD') +
      (git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '-changed')
    )
  } catch {
    return 'unknown'
  }
}
