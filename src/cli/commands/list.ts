import type { Command } from 'commander'
import { type PluginKind, pluginKinds } from '../../plugin/define.ts'
import { builtInCatalogue } from '../../registry.ts'
import type { CliIo } from '../io.ts'
import { parseKind } from '../plugin-kinds.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { table } from '../table.ts'

export function register(program: Command, io: CliIo): void {
  program
    .command('list')
    .argument('[kind]', 'sources, sinks, stages or stores')
    .description('List the built-in plug-ins.')
    .action((kind: string | undefined, _: unknown, command: Command) => {
      list(
        io,
        kind === undefined ? undefined : parseKind(kind, 'listing plug-ins'),
        optionsOf<CommonOptions>(command).json === true,
      )
    })
}

function list(io: CliIo, wanted: PluginKind | undefined, json: boolean): void {
  const kinds = wanted === undefined ? pluginKinds : [wanted]
  const plugins = kinds.flatMap((kind) =>
    builtInCatalogue.all(kind).map(({ name, summary }) => ({ kind, name, summary })),
  )
  if (json) {
    io.out(JSON.stringify({ plugins }))
    return
  }
  if (plugins.length === 0) {
    io.out(`No ${wanted}s are built in. \`millrace new ${wanted} my-${wanted}\` writes one of your own.`)
    return
  }
  io.out(
    table(
      io,
      [
        { title: 'KIND', value: ({ kind }) => kind },
        { title: 'NAME', value: ({ name }) => name },
        { title: 'DOES', value: ({ summary }) => summary },
      ],
      plugins,
    ),
  )
  if (io.isTty) io.out('\n`millrace describe NAME` shows the options of one.')
}
