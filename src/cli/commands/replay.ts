import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import type { ReplayStatus } from '../../runtime/replay/face.ts'
import { type Api, withApi } from '../api.ts'
import { eventTable, type WireEvent } from '../event-search.ts'
import type { CliIo } from '../io.ts'
import { count, counted, moment } from '../numbers.ts'
import { patternsOf } from '../patterns.ts'
import { pause } from '../pause.ts'
import { createProgress } from '../progress.ts'
import { partOf, replayText } from '../replay-text.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'

interface ReplayCommandOptions extends CommonOptions {
  readonly from?: string
  readonly to?: string
  readonly match?: readonly string[]
  readonly source?: readonly string[]
  readonly subject?: readonly string[]
  readonly rate?: string
  readonly ttl?: string
  readonly dryRun?: boolean
  readonly detach?: boolean
}

/** What a dry run answers. */
interface DryRun {
  readonly from: number
  readonly to: number
  readonly count: number
  readonly expired: number
  readonly removed: number
  readonly sample: readonly WireEvent[]
  readonly next?: number
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, ...value.split(',')]
/** How often the progress of a replay is asked for. */
const lookEveryMs = 250

/** `replay`: delivers a range of the log again, as a job beside live traffic. */
export function register(program: Command, io: CliIo): void {
  program
    .command('replay')
    .description(
      'Deliver a range of the log again to a subscription, as a job of its own with a rate. Each delivery is marked with the id of the replay. Ctrl-C stops watching; the job goes on.',
    )
    .argument('<subscription>', 'its name')
    .option('--from <event>', 'a sequence, a time, or how long ago (2h); the first event of the range')
    .option('--to <event>', 'a sequence, itself included, or a time, itself not included (default: the newest event)')
    .option(
      '--match <pattern>',
      'only these types: exact, prefix.* or *; several by comma or by repeating',
      patternsOf('--match'),
    )
    .option('--source <source>', 'only these sources', collect)
    .option('--subject <subject>', 'only these subjects', collect)
    .option('--rate <rate>', 'deliveries in a time, such as 100/s (default: 100/s, or half of the subscription’s own)')
    .option('--ttl <how>', 'keep: what is older than its time to live is not delivered (default: ignore)')
    .option('--dry-run', 'only count what would be delivered, and show some of it')
    .option('--detach', 'do not wait for the end')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = optionsOf<ReplayCommandOptions>(command)
      const body = bodyOf(options, Date.now())
      if (options.dryRun === true) await withApi(io, options, 'read', (api) => dryRun(io, api, name, body, options))
      else await withApi(io, options, 'write', (api) => replay(io, api, name, body, options))
    })
}

type Body = Readonly<Record<string, unknown>>

function bodyOf({ from, to, match, source, subject, rate, ttl }: ReplayCommandOptions, nowMs: number): Body {
  if (from === undefined)
    throw new AppError('usage', 'say from where with --from: a sequence, a time, or how long ago (--from 2h)')
  const bound = (text: string, what: string): number | string =>
    /^\d+$/.test(text) ? Number(text) : moment(text, what, nowMs)
  return {
    from: bound(from, '--from'),
    ...(to !== undefined && { to: bound(to, '--to') }),
    ...{ match, source, subject, rate, ttl },
  }
}

function replayPath(name: string, rest: string): string {
  return `/v1/subscriptions/${encodeURIComponent(name)}/${rest}`
}

async function dryRun(io: CliIo, api: Api, name: string, body: Body, options: CommonOptions): Promise<void> {
  const ask = (more: Body): Promise<DryRun> =>
    api.call('POST', replayPath(name, 'replay'), { ...body, ...more, dryRun: true })
  let found = await ask({})
  // Of a very large log one answer counts a minute's worth.
  for (let { next } = found; next !== undefined && !io.signal.aborted; ) {
    const more: DryRun = await ask({ from: next, to: found.to })
    const sample = [...found.sample, ...more.sample].slice(0, 10)
    found = { ...found, count: found.count + more.count, expired: found.expired + more.expired, sample }
    next = more.next
  }
  const { next: _next, ...whole } = found
  if (options.json === true) return io.out(JSON.stringify(whole))
  const { from, to, expired, removed, sample } = found
  io.out(
    `A replay of events ${count(from)} to ${count(to)} makes ${found.count === 1 ? '1 delivery' : `${count(found.count)} deliveries`} to ${name}.`,
  )
  if (expired > 0) io.out(`${count(expired)} of them are older than their time to live; --ttl keep leaves them out.`)
  if (removed > 0) io.out(`${counted(removed, 'event')} of the range ${removed === 1 ? 'is' : 'are'} no longer kept.`)
  if (sample.length > 0) io.out(`The first of them:\n${eventTable(io, sample)}`)
}

async function replay(io: CliIo, api: Api, name: string, body: Body, options: ReplayCommandOptions): Promise<void> {
  const begun = await api.call<ReplayStatus>('POST', replayPath(name, 'replay'), body)
  const isHere = api.pipeline !== undefined
  const status = options.detach === true || isHere ? begun : await watch(io, api, begun)
  if (status.state !== 'running' && (status.state !== 'done' || status.counts.dead > 0)) io.setExit(1)
  if (options.json === true) return io.out(JSON.stringify(status))
  io.out(replayText(io, status))
  if (isHere) io.err('No server runs: it begins when the pipeline does.')
  else if (status.state === 'running')
    io.err(
      `It goes on: "millrace replays ${name}" shows how far it is, "millrace replays cancel ${name} ${status.id}" ends it.`,
    )
  if (status.counts.dead > 0) io.err(`"millrace dead list ${name} --replay ${status.id}" shows what was given up.`)
}

/** Shows how far it is until it does not run any more, or nobody wants to know. */
async function watch(io: CliIo, api: Api, begun: ReplayStatus): Promise<ReplayStatus> {
  const path = replayPath(begun.subscription, `replays/${begun.id}`)
  const progress = createProgress(io, 'delivered')
  let status = begun
  while (status.state === 'running' && !io.signal.aborted) {
    await pause(lookEveryMs, io.signal)
    status = await api.call<ReplayStatus>('GET', path)
    progress.show({ count: status.counts.delivered, part: partOf(status) })
  }
  progress.end()
  return status
}
