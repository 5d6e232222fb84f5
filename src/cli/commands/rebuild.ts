import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import type { RebuildStatus } from '../../runtime/rebuild/face.ts'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { pause } from '../pause.ts'
import { createProgress } from '../progress.ts'
import { rebuildText } from '../rebuild-text.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'

interface RebuildCommandOptions extends CommonOptions {
  readonly force?: boolean
  readonly cancel?: boolean
  readonly finish?: boolean
  readonly status?: boolean
  readonly detach?: boolean
}

/** How often its progress is asked for. */
const lookEveryMs = 250

/** `rebuild`: what a projection keeps, built again from the log. */
export function register(program: Command, io: CliIo): void {
  program
    .command('rebuild')
    .description(
      'Build what a projection keeps again from the log, beside what is served; when it has caught up it takes its place. Ctrl-C stops watching; the rebuild goes on.',
    )
    .argument('<subscription>', 'its name')
    .option('--force', 'also where retention has removed what the state began with')
    .option('--status', 'only show the rebuild under way, or the last one')
    .option('--cancel', 'end the rebuild under way; what is served stays')
    .option('--finish', 'let a rebuild that is stuck take its place as it is')
    .option('--detach', 'do not wait for the end')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = optionsOf<RebuildCommandOptions>(command)
      const { cancel = false, finish = false, status = false } = options
      if (Number(cancel) + Number(finish) + Number(status) > 1)
        throw new AppError('usage', 'only one of --status, --cancel and --finish can be meant')
      await withApi(io, options, status ? 'read' : 'write', (api) => rebuild(io, api, name, options))
    })
}

async function rebuild(io: CliIo, api: Api, name: string, options: RebuildCommandOptions): Promise<void> {
  const { force = false, cancel, finish, status, detach, json } = options
  const path = `/v1/subscriptions/${encodeURIComponent(name)}/rebuild`
  const begun =
    status === true
      ? await api.call<RebuildStatus>('GET', path)
      : cancel === true || finish === true
        ? await api.call<RebuildStatus>('POST', `${path}/${cancel === true ? 'cancel' : 'finish'}`)
        : await api.call<RebuildStatus>('POST', path, { force })
  const isHere = api.pipeline !== undefined
  const isWatched = status !== true && cancel !== true && detach !== true && !isHere
  const found = isWatched ? await watch(io, api, path, begun) : begun
  if (found.state === 'stuck') io.setExit(1)
  if (json === true) return io.out(JSON.stringify(found))
  io.out(rebuildText(io, found))
  if (isUnderWay(found) && isHere) io.err('No server runs: it begins when the pipeline does.')
  else if (isUnderWay(found))
    io.err(`It goes on: "millrace rebuild ${name} --status" shows how far it is, "… --cancel" ends it.`)
}

const isUnderWay = ({ state }: RebuildStatus): boolean => state === 'building' || state === 'switching'

/** Shows how far it is until it does not go on any more, or nobody wants to know. */
async function watch(io: CliIo, api: Api, path: string, begun: RebuildStatus): Promise<RebuildStatus> {
  const progress = createProgress(io, 'events')
  let status = begun
  while (isUnderWay(status) && !io.signal.aborted) {
    await pause(lookEveryMs, io.signal)
    status = await api.call<RebuildStatus>('GET', path)
    const { from, examined, head } = status
    const total = head - from + 1
    progress.show({ count: examined - from + 1, part: total === 0 ? 1 : (examined - from + 1) / total })
  }
  progress.end()
  return status
}
