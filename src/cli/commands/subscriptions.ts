import type { Command } from 'commander'
import type { SubscriptionStatus } from '../../runtime/api.ts'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { span } from '../numbers.ts'
import { rebuildText } from '../rebuild-text.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { type Column, clean, paint, type Style, table } from '../table.ts'
import { registerChanges } from './subscription-changes.ts'

/** `subscriptions`: state and lag; `drop` forgets a retired one, `put` and others change those that are made at run time. */
export function register(program: Command, io: CliIo): void {
  const command = program
    .command('subscriptions')
    .description('Show the state, lag and open deliveries of every subscription.')
    .action(async (_options: unknown, self: Command) => {
      const options = optionsOf<CommonOptions>(self)
      await withApi(io, options, 'read', (api) => list(io, api, options.json === true))
    })
  registerChanges(command, io)
  command
    .command('drop')
    .description('Forget a retired subscription: its place in the log, its dead letters, its history.')
    .argument('<name>', 'a subscription that is no longer in the configuration')
    .action(async (name: string, _options: unknown, self: Command) => {
      const options = optionsOf<CommonOptions>(self)
      await withApi(io, options, 'write', (api) => drop(io, api, name, options.json === true))
    })
}

/** Every subscription, all pages. */
export async function allSubscriptions(api: Api): Promise<readonly SubscriptionStatus[]> {
  const all: SubscriptionStatus[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const query: string = `limit=1000&after=${encodeURIComponent(after)}`
    const page: { subscriptions: SubscriptionStatus[]; next?: string } = await api.call(
      'GET',
      `/v1/subscriptions?${query}`,
    )
    all.push(...page.subscriptions)
    after = page.next
  }
  return all
}

const stateStyles: Readonly<Record<SubscriptionStatus['state'], Style>> = {
  running: 'green',
  paused: 'yellow',
  saturated: 'yellow',
  halted: 'red',
  disabled: 'red',
  retired: 'dim',
}

export const subscriptionColumns: readonly Column<SubscriptionStatus>[] = [
  { title: 'subscription', value: ({ name }) => name },
  { title: 'state', value: ({ state }) => state, style: ({ state }) => stateStyles[state] },
  { title: 'lag', value: ({ lag }) => lag, isNumber: true },
  { title: 'open', value: ({ open }) => open, isNumber: true },
  {
    title: 'dead',
    value: ({ counters }) => counters.dead,
    isNumber: true,
    style: ({ counters }) => (counters.dead > 0 ? 'red' : undefined),
  },
  // A view has no deliveries: what it sent to its clients stands there.
  { title: 'delivered', value: ({ counters, view }) => view?.sent ?? counters.delivered, isNumber: true },
  {
    title: 'oldest',
    value: ({ oldestAgeSeconds }) => (oldestAgeSeconds > 0 ? span(oldestAgeSeconds * 1_000) : undefined),
    isNumber: true,
  },
  { title: 'from', value: ({ from }) => from?.join(', ') ?? '*' },
  { title: 'match', value: ({ match }) => (match.length === 0 ? undefined : match.join(', ')) },
  { title: 'sink', value: ({ sink, view }) => (view === undefined ? sink : `${sink} (${view.connections} connected)`) },
]

async function list(io: CliIo, api: Api, json: boolean): Promise<void> {
  const all = await allSubscriptions(api)
  if (json) return io.out(JSON.stringify({ subscriptions: all }))
  if (all.length === 0) return io.err(`${api.where} has no subscriptions yet: they begin when the pipeline runs`)
  if (api.pipeline !== undefined) io.err(`no server answers: this is what ${api.where} holds`)
  io.out(table(io, subscriptionColumns, all))
  for (const { name, state, reason, rebuild } of all) {
    if (reason !== undefined) io.out(`${paint(io, 'bold', clean(name))} is ${state}: ${clean(reason)}`)
    if (rebuild !== undefined && rebuild.endedAt === undefined) io.out(rebuildText(io, rebuild))
  }
}

async function drop(io: CliIo, api: Api, name: string, json: boolean): Promise<void> {
  await api.call('DELETE', `/v1/subscriptions/${encodeURIComponent(name)}`)
  io.out(
    json
      ? JSON.stringify({ dropped: name })
      : `Dropped ${name}: ${api.where} has forgotten its place, dead letters and history.`,
  )
}
