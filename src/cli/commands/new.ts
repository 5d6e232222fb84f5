import { writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { AppError, messageOf } from '../../core/errors.ts'
import type { PluginKind } from '../../plugin/define.ts'
import type { CliIo } from '../io.ts'
import { parseKind } from '../plugin-kinds.ts'
import { pluginTemplates } from '../plugin-templates.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'

export function register(program: Command, io: CliIo): void {
  program
    .command('new')
    .argument('<kind>', 'source, stage, sink or store')
    .argument('<name>', 'its name, for example my-sink')
    .description('Write a plug-in file to start from; it is named in the configuration by its path.')
    .option('--dir <dir>', 'the folder to write into', '.')
    .action((kind: string, name: string, _: unknown, command: Command) => {
      const options = optionsOf<CommonOptions & { dir: string }>(command)
      create(io, parseKind(kind, 'writing a plug-in'), name, options)
    })
}

function create(io: CliIo, kind: PluginKind, name: string, options: CommonOptions & { readonly dir: string }): void {
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name))
    throw new AppError(
      'usage',
      `writing a plug-in failed: ${JSON.stringify(name.slice(0, 60))} is not a name for one. Write lower-case words with hyphens, for example my-${kind}`,
    )
  const path = join(resolve(io.cwd, options.dir), `${name}.ts`)
  try {
    writeFileSync(path, pluginTemplates[kind](name), { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new AppError('state-conflict', `writing a plug-in failed: ${path} is there already and stays as it is`)
    throw new AppError('usage', `writing the plug-in ${path} failed: ${messageOf(error)}`, { cause: error })
  }
  const shown = relative(io.cwd, path)
  if (options.json === true) io.out(JSON.stringify({ created: [shown] }))
  else io.out(`Wrote ${shown}.\n${nextStep(kind, `./${shown}`)}`)
}

/** Where a file of each kind is named in the configuration. */
const places: Readonly<Record<PluginKind, (path: string) => string>> = {
  store: (path) => `store: { type: ${path} }`,
  source: (path) => `sources: my-source: { type: ${path}, … }`,
  stage: (path) => `stages: [{ use: ${path} }]`,
  sink: (path) => `sink: { type: ${path}, … }`,
}

function nextStep(kind: PluginKind, path: string): string {
  return `Next: name it in millrace.yaml, relative to that file: ${places[kind](path)}\nIt imports millrace/plugin: install millrace beside it (npm install millrace).`
}
