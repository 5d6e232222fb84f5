import type { Command } from 'commander'
import { type ReplayStatus, replayActions } from '../../runtime/replay/face.ts'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { replayColumns, replayText } from '../replay-text.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { table } from '../table.ts'

const what = {
  pause: 'Stop a replay; it keeps its place.',
  resume: 'Let a replay go on, also one that failed.',
  cancel: 'End a replay: what it has not delivered is not delivered, and its dead letters are forgotten.',
} as const

/** `replays`: what is delivered again and how far it is; `pause`, `resume` and `cancel` of one. */
export function register(program: Command, io: CliIo): void {
  const replays = program
    .command('replays')
    .helpCommand(false)
    .description('Show the replays of a subscription or of all, the newest first; pause, resume or cancel one.')
  replays
    .command('list', { isDefault: true })
    .description('Show the replays of a subscription or of all, the newest first.')
    .argument('[subscription]')
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      await withApi(io, options, 'read', (api) => list(io, api, name, options.json === true))
    })
  for (const action of replayActions)
    replays
      .command(action)
      .description(what[action])
      .argument('<subscription>')
      .argument('<id>')
      .action(async (name: string, id: string, _options: unknown, command: Command) => {
        const options = optionsOf<CommonOptions>(command)
        const path = `/v1/subscriptions/${encodeURIComponent(name)}/replays/${encodeURIComponent(id)}/${action}`
        await withApi(io, options, 'write', async (api) => {
          const status = await api.call<ReplayStatus>('POST', path)
          io.out(options.json === true ? JSON.stringify(status) : replayText(io, status))
        })
      })
}

async function list(io: CliIo, api: Api, name: string | undefined, json: boolean): Promise<void> {
  const path = name === undefined ? '/v1/replays' : `/v1/subscriptions/${encodeURIComponent(name)}/replays`
  const all: ReplayStatus[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const from: string = after === '' ? '' : `&after=${encodeURIComponent(after)}`
    const page: { replays: ReplayStatus[]; next?: string } = await api.call('GET', `${path}?limit=1000${from}`)
    all.push(...page.replays)
    after = page.next
  }
  if (json) return io.out(JSON.stringify({ replays: all }))
  if (all.length === 0) return io.err(`${name ?? api.where} has no replays`)
  io.out(table(io, replayColumns, all))
  for (const replay of all) if (replay.reason !== undefined) io.out(replayText(io, replay))
}
