import type { Command } from 'commander'
import { configJsonSchema } from '../../config/json-schema.ts'
import { builtInCatalogue } from '../../registry.ts'
import type { CliIo } from '../io.ts'

export function register(program: Command, io: CliIo): void {
  program
    .command('schema')
    .description('print the JSON Schema of the configuration, for editors')
    .action(() => io.out(configSchemaText()))
}

/** The schema as it is kept in `millrace.schema.json`. */
export function configSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(builtInCatalogue), undefined, 2)}\n`
}
