import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { type LoadedConfig, loadConfig } from '../../config/load.ts'
import { AppError } from '../../core/errors.ts'
import { formatIssue, type Issue } from '../../core/issues.ts'
import { nodePlatform } from '../../plugin/platform.ts'
import { builtInCatalogue } from '../../registry.ts'
import type { CliIo } from '../io.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { clean, paint } from '../table.ts'

export function register(program: Command, io: CliIo): void {
  program
    .command('check')
    .argument('[file]', 'the configuration file (default: millrace.yaml)')
    .description('report every problem of a configuration, with file, line and column; start nothing')
    .option('--no-env-file', 'leave the .env beside the file unread')
    .action(async (file: string | undefined, _: unknown, command: Command) => {
      const options = optionsOf<CommonOptions & { envFile: boolean }>(command)
      await check(io, file ?? options.config, options)
    })
}

async function check(
  io: CliIo,
  given: string | undefined,
  options: CommonOptions & { envFile: boolean },
): Promise<void> {
  const path = resolve(io.cwd, given ?? 'millrace.yaml')
  // As the user would write it, so that editors and terminals can open what is printed.
  const file = relative(io.cwd, path) || path
  if (!existsSync(path)) {
    const hint = given === undefined ? 'Name one, or write a starting one with `millrace init`' : 'Check the path'
    throw new AppError('usage', `checking the configuration failed: there is no file ${path}. ${hint}`)
  }
  const loaded = await loadConfig(path, {
    env: io.env,
    catalogue: builtInCatalogue,
    platform: nodePlatform,
    readsEnvFile: options.envFile,
  })
  const shown = (issues: readonly Issue[]): Issue[] => issues.map((issue) => ({ ...issue, file }))
  if (!loaded.ok) io.setExit(1)
  if (options.json === true) {
    const found = loaded.ok
      ? { ok: true, file, issues: [], warnings: shown(loaded.warnings) }
      : { ok: false, file, issues: shown(loaded.issues), warnings: [] }
    io.out(JSON.stringify(found))
  } else if (loaded.ok) {
    for (const warning of shown(loaded.warnings))
      io.out(`${paint(io, 'yellow', 'warning')} ${clean(formatIssue(warning))}`)
    io.out(`${paint(io, 'green', 'ok')} ${file}: ${summary(loaded)}`)
  } else {
    for (const issue of shown(loaded.issues)) io.out(clean(formatIssue(issue)))
    io.out(`${paint(io, 'red', 'failed')} ${file}: ${counted(loaded.issues.length, 'problem')}`)
  }
}

function summary({ plan }: LoadedConfig & { readonly ok: true }): string {
  const { sources, subscriptions, store } = plan
  return `store ${store.declaration.name}, ${counted(sources.length, 'source')}, ${counted(subscriptions.length, 'subscription')}`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
