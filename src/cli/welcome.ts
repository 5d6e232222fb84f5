import { existsSync } from 'node:fs'
import { basename, relative, resolve } from 'node:path'
import type { Store } from '../plugin/store.ts'
import type { CliIo } from './io.ts'
import { count } from './numbers.ts'
import type { Settings } from './settings.ts'
import { clean, paint } from './table.ts'

/** What a pipeline that has just started says: where it is, what runs, and what to try. */
export function welcome(io: CliIo, settings: Settings, store: Store, url: string): string {
  const bold = (text: string): string => paint(io, 'bold', text)
  return [
    `${bold('Millrace runs')} at ${bold(url)}   store: ${store.type}, durability: ${store.durability}, ${count(store.head())} events`,
    '',
    ...partLines(settings, bold),
    '',
    bold('Publish an event:'),
    `  curl -X POST ${url}/v1/events -H 'content-type: application/json' \\`,
    `    -d '{"source":"shop","id":"1","type":"order.placed","subject":"order-1","data":{"total":120}}'`,
    ...folderLines(io, settings, bold),
    bold('Look at it:'),
    ...[
      ['tail', 'follow the log'],
      ['explain 1', 'where event 1 is and why'],
      ['subscriptions', 'state and lag'],
    ].map(([command, what]) => `  ${`${commandLine(io)} ${command}${configOption(io, settings)}`.padEnd(44)}  ${what}`),
    '',
    'Ctrl-C stops.',
  ].join('\n')
}

function partLines({ plan }: Settings, bold: (text: string) => string): string[] {
  const sources = plan.sources.map(({ name, declaration }) => [name, declaration.name] as const)
  const subscriptions = plan.subscriptions.map(({ policy, sink }) => {
    const from = policy.from === undefined ? '' : ` from ${policy.from.join(', ')}`
    return [policy.name, `${policy.match.join(', ')}${from} → ${sink?.declaration.name ?? 'its stages'}`] as const
  })
  const width = Math.max(0, ...[...sources, ...subscriptions].map(([name]) => name.length))
  const lines = (title: string, parts: readonly (readonly [string, string])[]): string[] =>
    parts.length === 0
      ? [`${bold(title)} none`]
      : [bold(title), ...parts.map(([name, what]) => `  ${clean(name).padEnd(width)}  ${clean(what)}`)]
  return [...lines('Sources', sources), ...lines('Subscriptions', subscriptions)]
}

/** A watched folder is the other way in that a person can try at once. */
function folderLines(io: CliIo, { plan, directory }: Settings, bold: (text: string) => string): string[] {
  const inbox = plan.sources.find(({ declaration }) => declaration.name === 'directory')
  if (inbox === undefined) return []
  const path = (inbox.options as { readonly path: string }).path
  const folder = relative(io.cwd, resolve(directory, path)) || '.'
  return [
    bold('Or drop a file:'),
    `  echo '{"source":"shop","id":"2","type":"order.shipped","subject":"order-1"}' > ${folder}/two.ndjson`,
  ]
}

function commandLine(io: CliIo): string {
  return existsSync(resolve(io.cwd, 'bin/millrace.js')) ? 'npm run -s millrace --' : 'npx millrace'
}

function configOption(io: CliIo, { file, directory }: Settings): string {
  return basename(file) === 'millrace.yaml' && directory === io.cwd ? '' : ` --config ${relative(io.cwd, file)}`
}
