import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { configJsonSchema } from '../../config/json-schema.ts'
import { loadConfig } from '../../config/load.ts'
import { AppError } from '../../core/errors.ts'
import { formatIssue } from '../../core/issues.ts'
import { compareSchemas, type SchemaComparison } from '../../core/schema-compat.ts'
import { compileJsonSchema } from '../../plugin/json-schema.ts'
import { nodePlatform } from '../../plugin/platform.ts'
import { readJsonFile } from '../../plugin/register-schemas.ts'
import { builtInCatalogue } from '../../registry.ts'
import type { CliIo } from '../io.ts'
import { schemaTypes } from '../schema-types.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { clean, paint } from '../table.ts'

const wants = ['backward', 'forward', 'full'] as const

interface CheckOptions extends CommonOptions {
  readonly require?: string
}

/** `schema`, and `schema check` and `schema types` for the schemas of events. */
export function register(program: Command, io: CliIo): void {
  const schema = program
    .command('schema')
    .helpCommand(false)
    .description('Print the JSON Schema of the configuration, for editors; or work with schemas of events.')
    .action(() => io.out(configSchemaText()))
  schema
    .command('check')
    .description('Say whether a new version of an event schema is compatible with the old one, and why not.')
    .argument('<old>', 'a file with a JSON Schema')
    .argument('<new>', 'a file with its next version')
    .option('--require <compatibility>', 'fail unless the change is at least this: backward, forward or full')
    .addHelpText(
      'after',
      '\nfull: both directions. backward: who knows the new schema reads old data.\nforward: who knows the old one reads new data. breaking: neither, exit code 1.',
    )
    .action((old: string, next: string, _options: unknown, command: Command) =>
      checkSchemas(io, old, next, optionsOf<CheckOptions>(command)),
    )
  schema
    .command('types')
    .description('Print TypeScript types of the data of every event type that the configuration has a schema for.')
    .action((_options: unknown, command: Command) => printTypes(io, optionsOf<CommonOptions>(command)))
}

/** The schema as it is kept in `millrace.schema.json`. */
export function configSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(builtInCatalogue), undefined, 2)}\n`
}

function checkSchemas(io: CliIo, old: string, next: string, options: CheckOptions): void {
  const { require } = options
  if (require !== undefined && !wants.some((each) => each === require))
    throw new AppError('usage', `--require is ${wants.join(', ')}, and not ${JSON.stringify(require)}`)
  const compared = compareSchemas(readSchema(io, old), readSchema(io, next))
  const { compatibility } = compared
  const isEnough =
    compatibility === 'full' || (require === undefined ? compatibility !== 'breaking' : compatibility === require)
  if (!isEnough) io.setExit(1)
  if (options.json === true) io.out(JSON.stringify({ ok: isEnough, old, new: next, ...compared }))
  else showComparison(io, compared, isEnough)
}

function readSchema(io: CliIo, file: string): unknown {
  const read = readJsonFile(file, io.cwd)
  if ('problem' in read) throw new AppError('usage', `reading a schema failed: ${read.problem}`)
  const compiled = compileJsonSchema(read.value)
  if (!compiled.ok) throw new AppError('usage', `reading the schema ${file} failed: ${compiled.problem}`)
  return read.value
}

const meanings = {
  full: 'old and new data can be read by both',
  backward: 'who knows the new schema reads old data; who knows the old one may not read new data',
  forward: 'who knows the old schema reads new data; who knows the new one may not read old data',
  breaking: 'neither reads all data of the other',
} as const

function showComparison(io: CliIo, { compatibility, reasons }: SchemaComparison, isEnough: boolean): void {
  io.out(`${paint(io, isEnough ? 'green' : 'red', compatibility)}: ${meanings[compatibility]}`)
  for (const { breaks, path, message } of reasons)
    io.out(clean(`  not ${breaks}: ${path === '' ? 'the data' : path}: ${message}`, 1_000))
}

async function printTypes(io: CliIo, options: CommonOptions): Promise<void> {
  const path = resolve(io.cwd, options.config ?? 'millrace.yaml')
  const loaded = await loadConfig(path, {
    env: io.env,
    catalogue: builtInCatalogue,
    platform: nodePlatform,
    readsEnvFile: options.envFile,
  })
  if (!loaded.ok) {
    const issues = loaded.issues.map((each) => formatIssue({ ...each, file: relative(io.cwd, path) || path }))
    throw new AppError('config-invalid', `the types were not made: ${issues.join('; ')}`)
  }
  const types = schemaTypes(loaded.plan.schemas)
  if (options.json === true) io.out(JSON.stringify({ types }))
  else io.out(types.trimEnd())
}
