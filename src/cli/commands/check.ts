import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { type LoadedConfig, loadConfig } from '../../config/load.ts'
import { AppError } from '../../core/errors.ts'
import { formatIssue, type Issue } from '../../core/issues.ts'
import { nodePlatform } from '../../plugin/platform.ts'
import { builtInCatalogue } from '../../registry.ts'
import { againstStore, type StoreComparison } from '../against-store.ts'
import type { CliIo } from '../io.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { clean, paint } from '../table.ts'

interface CheckOptions extends CommonOptions {
  readonly againstStore?: boolean
}

export function register(program: Command, io: CliIo): void {
  program
    .command('check')
    .argument('[file]', 'the configuration file (default: millrace.yaml)')
    .description('Report every problem of a configuration, with file, line and column; start nothing.')
    .option('--against-store', 'also say what it changes for the deliveries in its store, which is only read')
    .action(async (file: string | undefined, _: unknown, command: Command) => {
      const options = optionsOf<CheckOptions>(command)
      await check(io, file ?? options.config, options)
    })
}

async function check(io: CliIo, given: string | undefined, options: CheckOptions): Promise<void> {
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
  const compared =
    loaded.ok && options.againstStore === true ? await againstStore({ ...loaded, file: path }) : undefined
  const isRight = loaded.ok && !problems(compared)
  if (!isRight) io.setExit(1)
  if (options.json === true) io.out(JSON.stringify(forPrograms(loaded, file, isRight, compared)))
  else show(io, loaded, file, compared)
}

function problems(compared: StoreComparison | undefined): boolean {
  return compared?.kind === 'compared' && compared.changes.some(({ severity }) => severity === 'problem')
}

function shown(issues: readonly Issue[], file: string): Issue[] {
  return issues.map((issue) => ({ ...issue, file }))
}

function forPrograms(loaded: LoadedConfig, file: string, ok: boolean, compared: StoreComparison | undefined): unknown {
  if (!loaded.ok) return { ok, file, issues: shown(loaded.issues, file), warnings: [] }
  const checked = { ok, file, issues: [], warnings: shown(loaded.warnings, file) }
  if (compared === undefined) return checked
  return { ...checked, changes: compared.kind === 'compared' ? compared.changes : [] }
}

function show(io: CliIo, loaded: LoadedConfig, file: string, compared: StoreComparison | undefined): void {
  if (!loaded.ok) {
    for (const issue of shown(loaded.issues, file)) io.out(clean(formatIssue(issue), 2_000))
    io.out(`${paint(io, 'red', 'failed')} ${file}: ${counted(loaded.issues.length, 'problem')}`)
    return
  }
  for (const warning of shown(loaded.warnings, file))
    io.out(`${paint(io, 'yellow', 'warning')} ${clean(formatIssue(warning), 2_000)}`)
  io.out(`${paint(io, 'green', 'ok')} ${file}: ${summary(loaded)}`)
  if (compared !== undefined) showComparison(io, compared)
}

const styles = { note: 'dim', warning: 'yellow', problem: 'red' } as const

function showComparison(io: CliIo, compared: StoreComparison): void {
  if (compared.kind === 'nothing') {
    io.out(`${paint(io, 'green', 'ok')} ${clean(compared.message)}`)
    return
  }
  const { store, changes } = compared
  for (const { subscription, severity, message } of changes)
    io.out(`${paint(io, styles[severity], severity)} subscription ${clean(`${subscription} ${message}`, 1_000)}`)
  const found = changes.filter(({ severity }) => severity === 'problem').length
  if (found > 0) io.out(`${paint(io, 'red', 'failed')} ${store}: ${counted(found, 'problem')}`)
  else if (changes.length > 0) io.out(`${paint(io, 'green', 'ok')} ${store}: ${counted(changes.length, 'change')}`)
  else io.out(`${paint(io, 'green', 'ok')} ${store}: nothing changes for its deliveries`)
}

function summary({ plan }: LoadedConfig & { readonly ok: true }): string {
  const { sources, subscriptions, store } = plan
  return `store ${store.declaration.name}, ${counted(sources.length, 'source')}, ${counted(subscriptions.length, 'subscription')}`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
