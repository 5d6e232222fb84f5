import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { loadConfig } from '../config/load.ts'
import { AppError } from '../core/errors.ts'
import type { PipelinePlan } from '../plugin/pipeline-config.ts'
import { nodePlatform } from '../plugin/platform.ts'
import { builtInCatalogue } from '../registry.ts'
import type { CliIo } from './io.ts'

export interface Settings {
  readonly file: string
  readonly directory: string
  readonly plan: PipelinePlan
}

export interface CommonOptions {
  readonly config?: string
  readonly json?: boolean
}

/** The options of the command and of the program above it. */
export function optionsOf<T extends CommonOptions>(command: Command): T {
  return command.optsWithGlobals<T>()
}

/** Reads and checks the configuration; throws `config-invalid` with every problem. */
export async function readSettings(io: CliIo, given: string | undefined): Promise<Settings> {
  const file = resolve(io.cwd, given ?? 'millrace.yaml')
  if (!existsSync(file)) {
    const hint = given === undefined ? 'Give one with --config FILE, or write a starting one with `millrace init`.' : 'Check the path.'
    throw new AppError('usage', `reading the configuration failed: there is no ${file}. ${hint}`)
  }
  const loaded = await loadConfig(file, { env: io.env, catalogue: builtInCatalogue, platform: nodePlatform })
  if (!loaded.ok) throw new AppError('config-invalid', `${file} has problems`, { facts: { issues: loaded.issues } })
  return { file, directory: loaded.directory, plan: withPort(loaded.plan, io.env['PORT']) }
}

/** `PORT` changes the port. */
function withPort(plan: PipelinePlan, text: string | undefined): PipelinePlan {
  if (text === undefined || text === '') return plan
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new AppError('usage', `reading PORT failed: ${JSON.stringify(text.slice(0, 20))} is not a port number between 0 and 65535`)
  }
  return { ...plan, server: { ...plan.server, port } }
}

/** Where the admin token of this pipeline is kept: beside its store. */
export function adminTokenPath({ directory, plan }: Settings): string {
  const { path } = plan.store.options as { readonly path?: string }
  return path === undefined ? resolve(directory, '.millrace/admin-token') : resolve(directory, path, '..', 'admin-token')
}
