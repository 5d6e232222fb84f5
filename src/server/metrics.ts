import type { PipelineStats, ViewCounters } from '../runtime/api.ts'
import { subscriptionStates } from '../runtime/api.ts'
import type { ServerContext } from './context.ts'
import { metric, type Sample } from './exposition.ts'
import { type Measured, measured, measuredReplays } from './metrics-fold.ts'

/** Everything for `GET /metrics`. Labels are names of the configuration and fixed words, so their number is bounded (SEC-82). */
export function metricsText(context: ServerContext): string {
  const stats = context.pipeline.stats()
  return [
    logMetrics(stats, context),
    sourceMetrics(stats),
    subscriptionMetrics(stats),
    stageMetrics(stats),
    viewMetrics(stats),
    tapMetrics(stats),
    replayMetrics(stats),
    httpMetrics(context),
    processMetrics(),
  ].join('')
}

const none = {}

function logMetrics(stats: PipelineStats, { pipeline, version }: ServerContext): string {
  const { published } = stats
  return [
    metric('millrace_info', 'gauge', 'What is running; always 1.', [
      [{ version, store: pipeline.store.type, durability: stats.durability }, 1],
    ]),
    metric('millrace_uptime_seconds', 'gauge', 'Time since the pipeline started.', [[none, stats.uptimeSeconds]]),
    metric('millrace_log_head_sequence', 'gauge', 'Sequence of the newest event.', [[none, stats.head]]),
    metric('millrace_log_oldest_sequence', 'gauge', 'Sequence of the oldest kept event.', [
      [none, pipeline.store.oldest()],
    ]),
    metric(
      'millrace_published_events_total',
      'counter',
      'Events handed in, by what came of them.',
      countsOf(published, none),
    ),
    metric('millrace_schema_warnings_total', 'counter', 'Events stored although they do not fit their schema.', [
      [none, published.warned],
    ]),
    metric('millrace_large_events_total', 'counter', 'Events with more data than limits.warnSize.', [
      [none, published.large],
    ]),
  ].join('')
}

type Counts = Omit<PipelineStats['published'], 'warned' | 'large'>

function countsOf(
  { stored, duplicate, conflict, refused, quarantined }: Counts,
  labels: Readonly<Record<string, string>>,
): Sample[] {
  const counts = Object.entries({ stored, duplicate, conflict, refused, quarantined })
  return counts.map(([result, value]) => [{ ...labels, result }, value])
}

function sourceMetrics(stats: PipelineStats): string {
  const sources = Object.entries(stats.sources)
  return [
    metric(
      'millrace_source_events_total',
      'counter',
      'Events of a source, by what came of them.',
      sources.flatMap(([source, counts]) => countsOf(counts, { source })),
    ),
    metric(
      'millrace_source_restarts_total',
      'counter',
      'How often a source failed and was started again.',
      sources.map(([source, { restarts }]) => [{ source }, restarts]),
    ),
  ].join('')
}

/** The counters of a ledger that only grow while the process runs, and the gauges beside them. */
const transitions = [
  ['matched', 'Events that became deliveries.'],
  ['filtered', 'Events that matched nothing of the subscription.'],
  ['attempts', 'Tries of a step.'],
  ['retries', 'Tries that will be repeated.'],
  ['died', 'Deliveries that became dead letters.'],
  ['redriven', 'Dead letters put back.'],
] as const
const settled = ['delivered', 'discarded', 'superseded', 'expired', 'lost'] as const
const gauges: readonly (readonly [name: string, help: string, value: (each: Measured) => number])[] = [
  ['lag_events', 'Events not yet examined.', ({ lag }) => lag],
  ['open_deliveries', 'Deliveries not settled.', ({ open }) => open],
  ['dead_deliveries', 'Dead letters.', ({ counters }) => counters['dead'] ?? 0],
  ['oldest_age_seconds', 'Age of the oldest open delivery or unexamined event.', (status) => status.oldestAgeSeconds],
]

function subscriptionMetrics(stats: PipelineStats): string {
  const all = measured(stats).filter(({ view }) => view === undefined)
  const counted = transitions.map(([name, help]) =>
    metric(
      `millrace_subscription_${name}_total`,
      'counter',
      help,
      all.map(({ name: subscription, counters }) => [{ subscription }, counters[name] ?? 0]),
    ),
  )
  const states = all.flatMap(({ name: subscription, counters }) =>
    settled.map((state): Sample => [{ subscription, state }, counters[state] ?? 0]),
  )
  const gauged = gauges.map(([name, help, value]) =>
    metric(
      `millrace_subscription_${name}`,
      'gauge',
      help,
      all.map((each) => [{ subscription: each.name }, value(each)]),
    ),
  )
  const state = all.flatMap(({ name: subscription, states: inState }) =>
    subscriptionStates.map((name): Sample => [{ subscription, state: name }, inState[name] ?? 0]),
  )
  return [
    ...counted,
    metric(
      'millrace_subscription_settled_total',
      'counter',
      'Deliveries that ended, by how; dead ones are a gauge.',
      states,
    ),
    ...gauged,
    metric('millrace_subscription_state', 'gauge', '1 for the state it is in; for (api), how many are in it.', state),
  ].join('')
}

const stageOutcomes = ['passed', 'failed', 'waits', 'discarded', 'rejected'] as const
const ofStages = [
  ['seconds_total', 'counter', 'Time in its calls.', 'seconds'],
  ['waiting_deliveries', 'gauge', 'Deliveries in front of it.', 'waiting'],
  ['running_calls', 'gauge', 'Calls under way.', 'running'],
] as const

function stageMetrics(stats: PipelineStats): string {
  const all = measured(stats).flatMap(({ name: subscription, stages }) =>
    stages.map((step) => ({ labels: { subscription, stage: step.name }, step })),
  )
  const items = all.flatMap(({ labels, step }) =>
    stageOutcomes.map((outcome): Sample => [{ ...labels, outcome }, step[outcome]]),
  )
  return [
    metric(
      'millrace_stage_items_total',
      'counter',
      'Calls of a stage, or deliveries of the sink, by how they ended.',
      items,
    ),
    ...ofStages.map(([name, type, help, value]) =>
      metric(
        `millrace_stage_${name}`,
        type,
        help,
        all.map(({ labels, step }): Sample => [labels, step[value]]),
      ),
    ),
  ].join('')
}

const ofViews = [
  ['connections', 'gauge', 'Clients that read the view.'],
  ['opened_total', 'counter', 'Connections that began.'],
  ['sent_total', 'counter', 'Events sent, over all clients.'],
  ['cut_total', 'counter', 'Connections cut because their client took nothing.'],
  ['gaps_total', 'counter', 'Notices that a client missed something.'],
  ['refused_total', 'counter', 'Connections refused because there were too many.'],
] as const

function viewMetrics(stats: PipelineStats): string {
  const views = measured(stats).flatMap(({ name, view }) => (view === undefined ? [] : [{ name, view }]))
  return ofViews
    .map(([metricName, type, help]) => {
      const counter = metricName.replace('_total', '') as keyof ViewCounters
      const samples = views.map(({ name, view }): Sample => [{ subscription: name }, view[counter]])
      return metric(`millrace_view_${metricName}`, type, help, samples)
    })
    .join('')
}

const ofTaps = [
  ['offered', 'Events that a best-effort subscription was offered.'],
  ['dropped', 'Of these, dropped because its queue was full.'],
  ['delivered', 'Delivered.'],
  ['discarded', 'Discarded by the sink.'],
  ['failed', 'Given up after their attempts, or at a stop.'],
] as const

function tapMetrics({ subscriptions, emitted }: PipelineStats): string {
  const taps = Object.entries(subscriptions).flatMap(([name, { tap }]) => (tap === undefined ? [] : [{ name, tap }]))
  const counted = ofTaps.map(([counter, help]) =>
    metric(
      `millrace_tap_${counter}_total`,
      'counter',
      help,
      taps.map(({ name, tap }): Sample => [{ subscription: name }, tap[counter]]),
    ),
  )
  const buffered = taps.map(({ name, tap }): Sample => [{ subscription: name }, tap.buffered])
  return [
    ...counted,
    metric('millrace_tap_buffered', 'gauge', 'Accepted and not yet ended.', buffered),
    metric('millrace_emitted_total', 'counter', 'Calls of emit.', [[none, emitted.emitted]]),
    metric('millrace_emitted_unwanted_total', 'counter', 'Emitted and wanted by no subscription.', [
      [none, emitted.unwanted],
    ]),
    metric('millrace_emitted_invalid_total', 'counter', 'Emitted and no valid event.', [[none, emitted.invalid]]),
  ].join('')
}

function replayMetrics(stats: PipelineStats): string {
  const all = Object.entries(measuredReplays(stats))
  const states = ['running', 'paused', 'failed'] as const
  const standing = all.flatMap(([subscription, counts]) =>
    states.map((state): Sample => [{ subscription, state }, counts[state]]),
  )
  const remaining = all.map(([subscription, counts]): Sample => [{ subscription }, counts.remaining])
  return [
    metric('millrace_replays', 'gauge', 'Replays that have not ended.', standing),
    metric('millrace_replay_remaining_events', 'gauge', 'Events that replays have still to deal with.', remaining),
  ].join('')
}

function httpMetrics({ answered, requests, streams }: ServerContext): string {
  const codes = [...answered].sort(([a], [b]) => a - b)
  return [
    metric(
      'millrace_http_answers_total',
      'counter',
      'Answers by status.',
      codes.map(([code, count]) => [{ code: String(code) }, count]),
    ),
    metric('millrace_http_ingest_requests', 'gauge', 'Requests being stored.', [[none, requests.requests]]),
    metric('millrace_http_ingest_bytes', 'gauge', 'Bytes of bodies being stored.', [[none, requests.bytes]]),
    metric('millrace_http_streams', 'gauge', 'NDJSON streams under way.', [[none, streams.requests]]),
  ].join('')
}

function processMetrics(): string {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  const startedAt = Date.now() / 1_000 - process.uptime()
  return [
    metric('process_cpu_seconds_total', 'counter', 'Processor time used.', [[none, (user + system) / 1e6]]),
    metric('process_resident_memory_bytes', 'gauge', 'Resident memory.', [[none, rss]]),
    metric('process_start_time_seconds', 'gauge', 'When the process started, since 1970.', [
      [none, Math.round(startedAt * 1_000) / 1_000],
    ]),
    metric('nodejs_heap_used_bytes', 'gauge', 'Heap in use.', [[none, heapUsed]]),
    metric('nodejs_eventloop_utilization_ratio', 'gauge', 'Share of time the event loop was busy since the start.', [
      [none, performance.eventLoopUtilization().utilization],
    ]),
  ].join('')
}
