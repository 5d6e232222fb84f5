import { existsSync } from 'node:fs'
import { basename, relative, resolve } from 'node:path'
import type { Store } from '../plugin/store.ts'
import type { CliIo } from './io.ts'
import { counted } from './numbers.ts'
import type { Settings } from './settings.ts'
import { clean, paint } from './table.ts'
import { invitations } from './to-try.ts'

/** What a pipeline that has just started says: where it is, what runs, and what to try. */
export function welcome(io: CliIo, settings: Settings, store: Store, url: string): string {
  const bold = (text: string): string => paint(io, 'bold', text)
  const command = (text: string): string => `${commandLine(io, url)} ${text}${configOption(io, settings)}`
  return [
    `${bold('Millrace runs')} at ${bold(url)}   store: ${store.type}, durability: ${store.durability}, ${counted(store.head(), 'event')}`,
    '',
    ...partLines(settings, bold),
    '',
    ...invitations(io, settings, url, command).flatMap(({ title, lines }) => [
      bold(title),
      ...lines.map((line) => `  ${line}`),
    ]),
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

/** With the variable that names another port, so that the other terminal finds this server. */
function commandLine(io: CliIo, url: string): string {
  const port = io.env['PORT'] === undefined ? '' : `PORT=${new URL(url).port || 80} `
  return `${port}${existsSync(resolve(io.cwd, 'bin/millrace.js')) ? 'npm run -s millrace --' : 'npx millrace'}`
}

function configOption(io: CliIo, { file, directory }: Settings): string {
  return basename(file) === 'millrace.yaml' && directory === io.cwd ? '' : ` --config ${relative(io.cwd, file)}`
}
