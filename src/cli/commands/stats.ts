import type { Command } from 'commander'
import type { StepStats } from '../../runtime/step-counts.ts'
import { type Api, withApi } from '../api.ts'
import type { CliIo } from '../io.ts'
import { readMetrics, type Sample } from '../metrics-text.ts'
import { count, counted, span } from '../numbers.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { type Column, table } from '../table.ts'
import { allSubscriptions, subscriptionColumns } from './subscriptions.ts'

const results = ['stored', 'duplicate', 'conflict', 'refused', 'quarantined'] as const
type Counts = Readonly<Record<(typeof results)[number], number>>

/** `stats`: counters of log, sources and subscriptions. */
export function register(program: Command, io: CliIo): void {
  program
    .command('stats')
    .description(
      'Show the counters of the log, the sources and the subscriptions. Those of publishing count since the start.',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command)
      await withApi(io, options, 'read', async (api) => {
        const subscriptions = await allSubscriptions(api)
        const log = await logOf(api)
        if (options.json === true) return io.out(JSON.stringify({ ...log, subscriptions }))
        io.out(
          `${api.where}: ${counted(log.head, 'event')} ever taken in, the oldest kept is ${count(log.oldest)}${sinceStart(log)}`,
        )
        if (log.sources.length > 0) io.out(`\n${sourceTable(io, log.sources)}`)
        if (subscriptions.length > 0) io.out(`\n${table(io, subscriptionColumns, subscriptions)}`)
        const steps = subscriptions.flatMap(({ name, stages = [] }) => stages.map((step) => ({ ...step, of: name })))
        if (steps.length > 0) io.out(`\n${table(io, stepColumns, steps)}`)
      })
    })
}

type Step = StepStats & { readonly of: string }

const stepNumber = (title: 'items' | 'waiting' | 'running' | 'failed' | 'waits' | 'discarded' | 'rejected') => ({
  title,
  value: (step: Step) => step[title],
  isNumber: true,
})
const stepColumns: readonly Column<Step>[] = [
  { title: 'subscription', value: ({ of }) => of },
  { title: 'stage', value: ({ name }) => name },
  stepNumber('items'),
  { title: 'ms each', value: ({ perItemMs }) => perItemMs.toFixed(3), isNumber: true },
  ...(['waiting', 'running', 'failed', 'waits', 'discarded', 'rejected'] as const).map(stepNumber),
]

interface SourceCounts extends Counts {
  readonly name: string
  readonly restarts: number
}

interface LogStats {
  readonly head: number
  readonly oldest: number
  readonly uptimeSeconds?: number
  readonly published?: Counts
  readonly sources: readonly SourceCounts[]
}

/** A store by itself knows no counters since the start: only a running pipeline has them. */
export async function logOf(api: Api): Promise<LogStats> {
  const { pipeline } = api
  if (pipeline !== undefined) return { head: pipeline.store.head(), oldest: pipeline.store.oldest(), sources: [] }
  const samples = readMetrics(await api.text('GET', '/metrics'))
  const one = (name: string): number => samples.find((sample) => sample.name === name)?.value ?? 0
  const published = samples.filter(({ name }) => name === 'millrace_published_events_total')
  const ofSources = Map.groupBy(
    samples.filter(({ name }) => name === 'millrace_source_events_total'),
    ({ labels }) => labels['source'] ?? '',
  )
  const restarts = (source: string): number =>
    samples.find(({ name, labels }) => name === 'millrace_source_restarts_total' && labels['source'] === source)
      ?.value ?? 0
  return {
    head: one('millrace_log_head_sequence'),
    oldest: one('millrace_log_oldest_sequence'),
    uptimeSeconds: one('millrace_uptime_seconds'),
    published: countsOf(published),
    sources: [...ofSources].map(([name, each]) => ({ name, ...countsOf(each), restarts: restarts(name) })),
  }
}

function countsOf(samples: readonly Sample[]): Counts {
  const value = (result: string): number => samples.find(({ labels }) => labels['result'] === result)?.value ?? 0
  return Object.fromEntries(results.map((name) => [name, value(name)])) as Counts
}

function sinceStart({ uptimeSeconds, published }: LogStats): string {
  if (uptimeSeconds === undefined || published === undefined) return ''
  const parts = results.map((name) => `${count(published[name])} ${name}`)
  return `\nsince the start ${span(uptimeSeconds * 1_000)} ago: ${parts.join(', ')}`
}

function sourceTable(io: CliIo, sources: readonly SourceCounts[]): string {
  const number = (title: keyof SourceCounts) => ({ title, value: (each: SourceCounts) => each[title], isNumber: true })
  return table<SourceCounts>(
    io,
    [{ title: 'source', value: ({ name }) => name }, ...results.map(number), number('restarts')],
    sources,
  )
}
