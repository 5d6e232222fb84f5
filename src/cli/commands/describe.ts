import type { Command } from 'commander'
import { stringify } from 'yaml'
import { optionsJsonSchema } from '../../config/json-schema.ts'
import { formatDuration } from '../../core/duration.ts'
import { AppError } from '../../core/errors.ts'
import { nearest } from '../../core/issues.ts'
import { type AnyDeclaration, pluginKinds, type SinkDeclaration } from '../../plugin/define.ts'
import { builtInCatalogue } from '../../registry.ts'
import type { CliIo } from '../io.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { paint, table } from '../table.ts'

export function register(program: Command, io: CliIo): void {
  program
    .command('describe')
    .argument('<name>', 'the name of a source, sink, stage or store')
    .description('Describe a plug-in: what it does, its options, a starting configuration.')
    .action((name: string, _: unknown, command: Command) =>
      describe(io, name, optionsOf<CommonOptions>(command).json === true),
    )
}

function describe(io: CliIo, name: string, json: boolean): void {
  const found = pluginKinds.flatMap((kind): AnyDeclaration[] => {
    const declaration = builtInCatalogue.find(kind, name)
    return declaration === undefined ? [] : [declaration]
  })
  if (found.length === 0) throw unknown(name)
  if (json) io.out(JSON.stringify({ plugins: found.map(asJson) }))
  else io.out(found.map((declaration) => asText(io, declaration)).join('\n'))
}

function unknown(name: string): AppError {
  const names = [...new Set(pluginKinds.flatMap((kind) => builtInCatalogue.names(kind)))].sort()
  const near = nearest(name, names)
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  return new AppError(
    'usage',
    `describing a plug-in failed: there is none named ${JSON.stringify(name.slice(0, 60))}.${hint} Available: ${names.join(', ')}`,
  )
}

function asJson(declaration: AnyDeclaration): Record<string, unknown> {
  const { kind, name, summary, example } = declaration
  const delivers = kind === 'sink' ? { delivers: declaration.delivers } : {}
  return {
    kind,
    name,
    summary,
    ...delivers,
    options: optionsJsonSchema(declaration),
    example: startOf(declaration, example),
  }
}

function asText(io: CliIo, declaration: AnyDeclaration): string {
  const { kind, name, summary, example } = declaration
  const parts = [`${paint(io, 'bold', `${kind} ${name}`)}\n\n${summary}\n`]
  if (kind === 'sink')
    parts.push(`${paint(io, 'bold', 'Delivers')}\n${declaration.delivers}\n`, defaultsOf(declaration))
  parts.push(`${paint(io, 'bold', 'Options')}\n${optionTable(io, declaration)}`)
  parts.push(`${paint(io, 'bold', 'To start with')}\n${stringify(placed(declaration, startOf(declaration, example)))}`)
  return parts.filter((part) => part !== '').join('\n')
}

function defaultsOf({ defaults }: SinkDeclaration): string {
  if (defaults === undefined) return ''
  const { concurrency, timeoutMs, retry } = defaults
  const facts = [
    ...(concurrency === undefined ? [] : [`concurrency ${concurrency}`]),
    ...(timeoutMs === undefined ? [] : [`timeout ${formatDuration(timeoutMs)}`]),
    ...(retry?.attempts === undefined
      ? []
      : [`attempts ${retry.attempts === Number.POSITIVE_INFINITY ? 'unlimited' : retry.attempts}`]),
    ...(retry?.delaysMs === undefined || retry.delaysMs.length === 0
      ? []
      : [`delays ${retry.delaysMs.map(formatDuration).join(', ')}`]),
  ]
  return facts.length === 0 ? '' : `Without other settings: ${facts.join('; ')}.\n`
}

interface OptionRow {
  readonly name: string
  readonly takes: string
  readonly otherwise: string
  readonly description: string
}

function optionTable(io: CliIo, declaration: AnyDeclaration): string {
  const { properties = {}, required = [] } = optionsJsonSchema(declaration) as {
    readonly properties?: Readonly<Record<string, OptionSchema>>
    readonly required?: readonly string[]
  }
  const rows = Object.entries(properties).map(
    ([name, option]): OptionRow => ({
      name,
      takes: takes(option),
      otherwise: required.includes(name)
        ? 'needed'
        : option.default === undefined
          ? ''
          : String(JSON.stringify(option.default)),
      description: option.description ?? '',
    }),
  )
  if (rows.length === 0) return 'none\n'
  return table<OptionRow>(
    io,
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'TAKES', value: (row) => row.takes },
      { title: 'DEFAULT', value: ({ otherwise }) => otherwise },
      { title: 'MEANS', value: ({ description }) => description },
    ],
    rows,
    { isWrapped: true },
  )
}

interface OptionSchema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly description?: string
}

const shownTypes: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  boolean: 'true or false',
  object: 'mapping',
  array: 'list',
}

function takes(option: OptionSchema): string {
  if (option.enum !== undefined) return option.enum.join(' or ')
  return shownTypes[option.type ?? ''] ?? option.type ?? 'any value'
}

function startOf({ kind, name }: AnyDeclaration, example: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { [kind === 'stage' ? 'use' : 'type']: name, ...example }
}

/** Where in the configuration it stands. */
function placed({ kind, name }: AnyDeclaration, start: Record<string, unknown>): unknown {
  switch (kind) {
    case 'store':
      return { store: start }
    case 'source':
      return { sources: { [`my-${name}`]: start } }
    case 'sink':
      return { subscriptions: { [`my-${name}`]: { sink: start } } }
    case 'stage':
      return { subscriptions: { 'my-subscription': { stages: [start] } } }
  }
}
