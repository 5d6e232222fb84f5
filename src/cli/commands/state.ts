import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import type { StateEntry, StatePage } from '../../plugin/state.ts'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { clock, wholeNumber } from '../numbers.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { table } from '../table.ts'

interface StateOptions extends CommonOptions {
  readonly after?: string
  readonly limit?: string
  readonly prefix?: string
}

const mostAtOnce = 1000
/** On a terminal a value is cut at its edge, and here elsewhere. */
const longestValue = 2000

/** `state SUBSCRIPTION [STAGE [KEY]]`: what stages keep. */
export function register(program: Command, io: CliIo): void {
  program
    .command('state')
    .description('Show what the stages of a subscription keep: which stages, the keys and values of one, or one key.')
    .argument('<subscription>')
    .argument('[stage]', 'the stage; that of a projection is named projection')
    .argument('[key]', 'only this key')
    .option('--prefix <text>', 'only keys that begin with this')
    .option('--after <key>', 'only keys after this one')
    .option('--limit <count>', 'at most this many (default: 50)')
    .action(async (name: string, stage: string | undefined, key: string | undefined, _: unknown, command: Command) => {
      const options = optionsOf<StateOptions>(command)
      await withApi(io, options, 'read', (api) => {
        if (stage === undefined) return stages(io, api, name, options)
        return key === undefined ? list(io, api, name, stage, options) : show(io, api, name, stage, key, options)
      })
    })
}

function statePath(name: string, stage: string): string {
  return `/v1/subscriptions/${encodeURIComponent(name)}/state/${encodeURIComponent(stage)}`
}

async function stages(io: CliIo, api: Api, name: string, options: StateOptions): Promise<void> {
  const found = await api.call<{ stages: string[]; foldVersion?: string }>(
    'GET',
    `/v1/subscriptions/${encodeURIComponent(name)}/state`,
  )
  if (options.json === true) return io.out(JSON.stringify(found))
  if (found.stages.length === 0) return io.err(`no stage of ${name} keeps anything`)
  const columns = [
    { title: 'stage', value: (stage: string) => stage },
    { title: 'version', value: () => found.foldVersion },
  ]
  io.out(table(io, found.foldVersion === undefined ? columns.slice(0, 1) : columns, found.stages))
  io.err(`"millrace state ${name} ${found.stages[0]}" shows what it keeps.`)
}

async function list(io: CliIo, api: Api, name: string, stage: string, options: StateOptions): Promise<void> {
  const limit = options.limit === undefined ? 50 : wholeNumber(options.limit, '--limit', 1)
  const query = new URLSearchParams(options.prefix === undefined ? {} : { prefix: options.prefix })
  const found: StateEntry<unknown>[] = []
  let { after } = options
  for (let isMore = true; isMore && found.length < limit; ) {
    query.set('limit', String(Math.min(limit - found.length, mostAtOnce)))
    if (after !== undefined) query.set('after', after)
    const page: StatePage<unknown> = await api.call('GET', `${statePath(name, stage)}?${query}`)
    found.push(...page.entries)
    after = page.next
    isMore = after !== undefined
  }
  if (options.json === true) {
    if (found.length > 0) io.out(found.map((entry) => JSON.stringify(entry)).join('\n'))
    return
  }
  if (found.length === 0)
    return io.err(`stage ${stage} of ${name} keeps nothing${options.prefix === undefined ? '' : ' under such a key'}`)
  io.out(entryTable(io, found))
  if (after !== undefined) io.err(`There is more: --limit, or --after ${JSON.stringify(after)}.`)
}

/** Asked for as the first of the keys that begin with it: also one that would be no segment of a path. */
async function show(
  io: CliIo,
  api: Api,
  name: string,
  stage: string,
  key: string,
  options: StateOptions,
): Promise<void> {
  const query = new URLSearchParams({ prefix: key, limit: '1' })
  const { entries } = await api.call<StatePage<unknown>>('GET', `${statePath(name, stage)}?${query}`)
  const [entry] = entries
  if (entry?.key !== key)
    throw new AppError('not-found', `stage ${stage} of ${name} keeps nothing under ${JSON.stringify(key)}`)
  if (options.json === true) return io.out(JSON.stringify(entry))
  io.out(JSON.stringify(entry.value, undefined, 2))
  if (entry.dueAt !== undefined) io.err(`The stage is called for it at ${clock(entry.dueAt)} UTC.`)
}

function entryTable(io: CliIo, entries: readonly StateEntry<unknown>[]): string {
  const hasDue = entries.some(({ dueAt }) => dueAt !== undefined)
  const due = {
    title: 'due (UTC)',
    value: ({ dueAt }: StateEntry<unknown>) => dueAt && clock(dueAt),
    style: () => 'dim' as const,
  }
  return table(
    io,
    [
      { title: 'key', value: ({ key }) => (key === '' ? '""' : key), style: () => 'cyan' },
      ...(hasDue ? [due] : []),
      { title: 'value', value: ({ value }) => JSON.stringify(value).slice(0, longestValue) },
    ],
    entries,
  )
}
