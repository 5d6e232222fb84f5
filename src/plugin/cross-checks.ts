import { nearest } from '../core/issues.ts'
import type { Catalogue } from './catalogue.ts'
import type { SchemaIssue } from './check.ts'
import type { SinkDeclaration } from './define.ts'
import { declarationOf } from './slots.ts'

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
  return subscriptions.flatMap(([name, written]) => {
    const subscription = mapping(written)
    return [...orderIssues(subscription, catalogue), ...retryIssues(subscription), ...stageIssues(subscription)].map(
      (issue) => ({
        ...issue,
        path: ['subscriptions', name, ...issue.path],
      }),
    )
  })
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
  if (ordering === 'strict' && typeof concurrency === 'number' && concurrency > 1)
    found.push(
      issue(
        ['concurrency'],
        'ordering strict makes one attempt at a time: leave concurrency out, or write ordering: key',
      ),
    )
  const orderings = sinkOf(subscription['sink'], catalogue)
  if (
    orderings?.orderings !== undefined &&
    typeof ordering === 'string' &&
    !orderings.orderings.some((each) => each === ordering)
  )
    found.push({
      ...issue(['ordering'], `the sink ${orderings.name} cannot keep ordering ${ordering}`),
      available: [...orderings.orderings].sort(),
    })
  return found
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
  if (!Array.isArray(stages)) return []
  const seen = new Set<string>()
  return stages.flatMap((entry, index) => {
    const name = stageName(entry)
    if (name === undefined) return []
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

function stageName(entry: unknown): string | undefined {
  const { name, use, declaration } = mapping(entry)
  if (typeof name === 'string') return name
  const named =
    declaration ??
    (typeof use === 'string' ? { name: use } : ((use as { declaration?: unknown } | undefined)?.declaration ?? {}))
  const found = mapping(named)['name']
  return typeof found === 'string' ? found : undefined
}

/** What is allowed and probably a slip of the pen: a `from` that is nearly the name of a configured source. */
export function crossWarnings(config: unknown): SchemaIssue[] {
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
