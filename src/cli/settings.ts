import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { loadConfig } from '../config/load.ts'
import { AppError } from '../core/errors.ts'
import type { Issue } from '../core/issues.ts'
import type { PipelinePlan } from '../plugin/pipeline-config.ts'
import { nodePlatform } from '../plugin/platform.ts'
import { builtInCatalogue } from '../registry.ts'
import type { CliIo } from './io.ts'

/** A configuration that can run. */
export interface Settings {
  readonly file: string
  readonly directory: string
  readonly plan: PipelinePlan
  /** What is allowed but probably not meant. */
  readonly warnings: readonly Issue[]
}

/** The options that every command has. */
export interface CommonOptions {
  readonly config?: string | undefined
  readonly json?: boolean
  /** False: the `.env` beside the configuration is not read. */
  readonly envFile?: boolean
}

/** The options of the command and of the program above it. */
export function optionsOf<T extends CommonOptions>(command: Command): T {
  return command.optsWithGlobals<T>()
}

/** Reads and checks the configuration; throws `config-invalid` with every problem. */
export async function readSettings(
  io: CliIo,
  { config: given, envFile }: Pick<CommonOptions, 'config' | 'envFile'>,
): Promise<Settings> {
  const file = resolve(io.cwd, given ?? 'millrace.yaml')
  if (!existsSync(file)) throw noFile(file, given)
  const loaded = await loadConfig(file, {
    env: io.env,
    catalogue: builtInCatalogue,
    platform: nodePlatform,
    readsEnvFile: envFile,
  })
  if (!loaded.ok) throw new AppError('config-invalid', `${file} has problems`, { facts: { issues: loaded.issues } })
  const { server } = loaded.plan
  return {
    file,
    directory: loaded.directory,
    warnings: loaded.warnings,
    plan: { ...loaded.plan, server: { ...server, port: portOf(io, server.port) } },
  }
}

function noFile(file: string, given: string | undefined): AppError {
  const hint =
    given === undefined
      ? 'Give one with --config FILE, or write a starting one with "millrace init".'
      : 'Check the path after --config.'
  return new AppError('usage', `the configuration was not read: there is no file ${file}. ${hint}`)
}

/** The port of the configuration; the variable `PORT` wins. */
function portOf(io: CliIo, configured: number): number {
  const text = io.env['PORT']
  if (text === undefined || text === '') return configured
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new AppError(
    'usage',
    `the variable PORT is ${JSON.stringify(text.slice(0, 20))}, which is not a port. Set it to a number between 0 and 65535, or unset it.`,
  )
}

/** Where the admin token of this pipeline is kept: beside its store. */
export function adminTokenPath({ directory, plan }: Settings): string {
  return tokenPath(directory, (plan.store.options as { readonly path?: unknown } | undefined)?.path)
}

function tokenPath(directory: string, storePath: unknown): string {
  return typeof storePath === 'string'
    ? resolve(directory, dirname(storePath), 'admin-token')
    : resolve(directory, '.millrace', 'admin-token')
}

/** Where the server of a configuration would be, and the file that holds its admin token. */
export interface Place {
  readonly url: string
  readonly tokenPath: string
}

/**
 * Looks no further than the address and the store's path, so that a running server can be asked also from a shell
 * without the variables and plug-in files that the rest of the configuration needs.
 */
export function findPlace(io: CliIo, given: string | undefined): Place {
  const file = resolve(io.cwd, given ?? 'millrace.yaml')
  if (given !== undefined && !existsSync(file)) throw noFile(file, given)
  const { server, store } = readLoosely(file)
  const host = typeof server?.['host'] === 'string' ? server['host'] : '127.0.0.1'
  const port = portOf(io, typeof server?.['port'] === 'number' ? server['port'] : 7117)
  return { url: urlOf(host, port), tokenPath: tokenPath(dirname(file), store?.['path']) }
}

type Members = Readonly<Record<string, unknown>>

function readLoosely(file: string): { readonly server?: Members | undefined; readonly store?: Members | undefined } {
  try {
    const value: unknown = parse(readFileSync(file, 'utf8'))
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    // Not YAML, or not there: what it says is found out when the server does not answer either.
    return {}
  }
}

/** A wildcard address is reached through loopback. */
export function urlOf(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' || host === '[::]' ? '127.0.0.1' : host
  return `http://${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${port}`
}
