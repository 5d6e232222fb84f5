import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { AppError, messageOf } from '../../core/errors.ts'
import type { CliIo } from '../io.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { starterConfig } from '../starter.ts'
import { configSchemaText } from './schema.ts'

export function register(program: Command, io: CliIo): void {
  program
    .command('init')
    .argument('[dir]', 'the folder to write into (default: the working directory)')
    .description('Write a commented starter configuration that runs.')
    .action((directory: string | undefined, _: unknown, command: Command) =>
      init(io, directory ?? '.', optionsOf<CommonOptions>(command).json === true),
    )
}

function init(io: CliIo, written: string, json: boolean): void {
  const directory = resolve(io.cwd, written)
  const config = join(directory, 'millrace.yaml')
  const schema = join(directory, 'millrace.schema.json')
  try {
    mkdirSync(directory, { recursive: true })
    // The user may put secrets into it later. SEC-74
    writeFileSync(config, starterConfig, { flag: 'wx', mode: 0o600 })
    writeFileSync(schema, configSchemaText())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new AppError(
        'state-conflict',
        `writing a starter configuration failed: ${config} is there already and stays as it is. Remove it first, or name another folder`,
      )
    throw new AppError('usage', `writing a starter configuration into ${directory} failed: ${messageOf(error)}`, {
      cause: error,
    })
  }
  const shown = (path: string): string => relative(io.cwd, path)
  if (json) {
    io.out(JSON.stringify({ created: [shown(config), shown(schema)] }))
    return
  }
  const given = shown(config) === 'millrace.yaml' ? '' : ` ${shown(config)}`
  io.out(`Wrote ${shown(config)} and ${shown(schema)} (for editors).\nNext: npx millrace run${given}`)
}
