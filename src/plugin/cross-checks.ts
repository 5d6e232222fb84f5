import { nearest } from '../core/issues.ts'
import { isLoopbackHost } from '../core/loopback.ts'
import type { Catalogue } from './catalogue.ts'
import type { SchemaIssue } from './check.ts'
import type { SinkDeclaration } from './define.ts'
import { subscriptionSettings } from './pipeline-schema.ts'
import { declarationOf } from './slots.ts'
import { viewIssues } from './view-checks.ts'

type Written = Readonly<Record<string, unknown>>

function mapping(value: unknown): Written {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Written) : {}
}

/**
 * Settings that are right by themselves and wrong together. Read from the configuration as written, so that they are
 * reported beside every other problem.
 */
export function crossIssues(config: unknown, catalogue: Catalogue): SchemaIssue[] {
  const subscriptions = Object.entries(mapping(mapping(config)['subscriptions']))
  const known = subscriptionSettings(catalogue)
  const found = subscriptions.flatMap(([name, written]) =>
    subscriptionIssues(written, catalogue, known).map((issue) => ({
      ...issue,
      path: ['subscriptions', name, ...issue.path],
    })),
  )
  return [...serverIssues(mapping(mapping(config)['server'])), ...found]
}

/** As the server itself refuses it, which nobody sees before the start. */
function serverIssues({ host, tokens }: Written): SchemaIssue[] {
  if (typeof host !== 'string' || isLoopbackHost(host) || (Array.isArray(tokens) && tokens.length > 0)) return []
  const message = 'others can reach this address, so it needs tokens: add server.tokens, or bind to 127.0.0.1'
  return [issue(['server', 'host'], message)]
}

/** The same of one subscription; `known` are the names of the settings that there are. */
export function subscriptionIssues(written: unknown, catalogue: Catalogue, known: readonly string[]): SchemaIssue[] {
  const subscription = mapping(written)
  return [
    ...viewIssues(subscription, sinkOf(subscription['sink'], catalogue), known),
    ...orderIssues(subscription, catalogue),
    ...fairIssues(subscription, catalogue),
    ...guaranteeIssues(subscription, catalogue),
    ...retryIssues(subscription),
    ...stageIssues(subscription),
    ...excludedIssues(subscription, catalogue),
  ]
}

function issue(path: SchemaIssue['path'], message: string): SchemaIssue {
  return { code: 'config-invalid', path, message }
}

function orderIssues(subscription: Written, catalogue: Catalogue): SchemaIssue[] {
  const { ordering = 'none', onFailure, concurrency } = subscription
  const found: SchemaIssue[] = []
  if (onFailure === 'park' && (ordering === 'none' || ordering === 'strict'))
    found.push(
      issue(
        ['onFailure'],
        `park holds back one key, and with ordering ${ordering}${subscription['ordering'] === undefined ? ' (the default)' : ''} there are no keys: write ordering: key, or choose block or halt`,
      ),
    )
  if (subscription['orderBy'] !== undefined && ordering !== 'key')
    found.push({
      ...issue(['orderBy'], `it says what has order within a key: write ordering: key beside it, or leave it out`),
      isAboutKey: true,
    })
  if (ordering === 'strict' && typeof concurrency === 'number' && concurrency > 1)
    found.push(
      issue(
        ['concurrency'],
        'ordering strict makes one attempt at a time: leave concurrency out, or write ordering: key',
      ),
    )
  if (subscription['coalesce'] !== undefined && (ordering === 'key' || ordering === 'strict'))
    found.push(
      issue(
        ['coalesce'],
        `with ordering ${ordering} nothing may overtake, and coalescing lets other subjects and types overtake: leave ordering out (within a type and subject the order is kept anyway)`,
      ),
    )
  const sink = sinkOf(subscription['sink'], catalogue)
  if (
    sink?.orderings !== undefined &&
    typeof ordering === 'string' &&
    !sink.orderings.some((each) => each === ordering)
  )
    found.push({
      ...issue(['ordering'], `the sink ${sink.name} cannot keep ordering ${ordering}`),
      available: [...sink.orderings].sort(),
    })
  return found
}

function fairIssues(subscription: Written, catalogue: Catalogue): SchemaIssue[] {
  if (subscription['fairBy'] === undefined) return []
  const found: SchemaIssue[] = []
  const beside = ['ordering', 'coalesce'].find((name) => (subscription[name] ?? 'none') !== 'none')
  if (beside !== undefined)
    found.push(
      issue(
        ['fairBy'],
        `groups that take turns overtake one another, which ${beside} does not allow: leave one of them out`,
      ),
    )
  const sink = sinkOf(subscription['sink'], catalogue)
  if (sink?.served === 'batches')
    found.push({
      ...issue(
        ['fairBy'],
        `clients of the sink ${sink.name} fetch in the order of the log, and no group can take turns there: leave fairBy out, or give each group a subscription of its own`,
      ),
      isAboutKey: true,
    })
  return found
}

/** What means nothing where deliveries are in memory only. */
const needsLedger = [
  'stages',
  'recursive',
  'ordering',
  'onFailure',
  'dead',
  'start',
  'maxOpen',
  'window',
  'paused',
  'coalesce',
  'fairBy',
  'ttl',
  'rate',
  'breaker',
]

function guaranteeIssues(subscription: Written, catalogue: Catalogue): SchemaIssue[] {
  const sink = sinkOf(subscription['sink'], catalogue)
  const { guarantee = sink?.defaults?.guarantee ?? 'at-least-once' } = subscription
  if (guarantee !== 'best-effort') {
    if (subscription['buffer'] === undefined) return []
    return [
      {
        ...issue(['buffer'], 'only a best-effort subscription has a buffer: the others read the log'),
        isAboutKey: true,
      },
    ]
  }
  if (sink?.served === 'batches')
    return [issue(['guarantee'], `the sink ${sink.name} hands out leased batches and needs guarantee at-least-once`)]
  return needsLedger
    .filter((name) => subscription[name] !== undefined)
    .map((name) => ({
      ...issue(
        [name],
        `a best-effort subscription keeps nothing but a queue in memory, so ${name} means nothing there: leave it out, or leave out guarantee`,
      ),
      isAboutKey: true,
    }))
}

function sinkOf(sink: unknown, catalogue: Catalogue): SinkDeclaration | undefined {
  const { type, use, declaration } = mapping(sink)
  const found = declarationOf('sink', declaration === undefined ? (type ?? use) : sink, catalogue, [])
  return found.ok ? found.value : undefined
}

function retryIssues(subscription: Written): SchemaIssue[] {
  const retry = mapping(subscription['retry'])
  if (retry['delays'] === undefined) return []
  return ['base', 'factor', 'max']
    .filter((key) => retry[key] !== undefined)
    .map((key) => ({
      ...issue(['retry', key], `${key} has no effect beside delays: write either delays, or base, factor and max`),
      isAboutKey: true,
    }))
}

function stageIssues(subscription: Written): SchemaIssue[] {
  const stages = subscription['stages']
  if (subscription['recursive'] === true && (stages === undefined || (Array.isArray(stages) && stages.length === 0)))
    return [
      {
        ...issue(['recursive'], 'it is about events that its stages derive, and there are no stages: leave it out'),
        isAboutKey: true,
      },
    ]
  if (!Array.isArray(stages)) return []
  const seen = new Set<string>()
  return stages.flatMap((entry, index) => {
    const name = stageName(entry)
    if (name === undefined) return []
    if (name === 'sink')
      return [
        issue(
          ['stages', index],
          'sink is what the sink is called in attempts and statistics: give the stage another name',
        ),
      ]
    if (!seen.has(name)) {
      seen.add(name)
      return []
    }
    return [
      issue(
        ['stages', index],
        `another stage of this subscription is named ${JSON.stringify(name)}: give this one a name of its own`,
      ),
    ]
  })
}

/** Settings that a stage of the subscription cannot work beside. */
function excludedIssues(subscription: Written, catalogue: Catalogue): SchemaIssue[] {
  const stages = Array.isArray(subscription['stages']) ? subscription['stages'] : []
  return stages.flatMap((entry: unknown) => {
    const { use, declaration } = mapping(entry)
    const found = declarationOf('stage', declaration === undefined ? use : entry, catalogue, [])
    if (!found.ok) return []
    return Object.entries(found.value.excludes ?? {})
      .filter(([name]) => (subscription[name] ?? 'none') !== 'none')
      .map(([name, why]) => issue([name], `the stage ${found.value.name} cannot work beside it: ${why}`))
  })
}

function stageName(entry: unknown): string | undefined {
  const { name, use, declaration } = mapping(entry)
  if (typeof name === 'string') return name
  const named =
    declaration ??
    (typeof use === 'string' ? { name: use } : ((use as { declaration?: unknown } | undefined)?.declaration ?? {}))
  const found = mapping(named)['name']
  return typeof found === 'string' ? found : undefined
}

/** What is allowed and probably not meant. */
export function crossWarnings(config: unknown): SchemaIssue[] {
  return [...streamWarnings(mapping(config)), ...fromWarnings(config)]
}

function streamWarnings({ streams, retention }: Written): SchemaIssue[] {
  const bound = ['age', 'size'].find((name) => mapping(retention)[name] !== undefined)
  if (streams === undefined || bound === undefined) return []
  return [
    issue(
      ['retention', bound],
      'retention removes old events, of streams too, and a stream whose first events are gone cannot be folded from its beginning: keep everything where streams are the only truth',
    ),
  ]
}

/** A `from` that is nearly the name of a configured source: a slip of the pen. */
function fromWarnings(config: unknown): SchemaIssue[] {
  const sources = Object.keys(mapping(mapping(config)['sources']))
  return Object.entries(mapping(mapping(config)['subscriptions'])).flatMap(([name, written]) => {
    const from = mapping(written)['from']
    if (!Array.isArray(from)) return []
    return from.flatMap((source, index): SchemaIssue[] => {
      if (typeof source !== 'string' || sources.includes(source)) return []
      const suggestion = nearest(source, sources)
      if (suggestion === undefined) return []
      return [
        {
          ...issue(
            ['subscriptions', name, 'from', index],
            `no source of this name is configured; only events published with this source will match`,
          ),
          suggestion,
        },
      ]
    })
  })
}
