import type { SchemaIssue } from './check.ts'
import type { SinkDeclaration } from './define.ts'

/** What a view of the log can do with an event: choose it, and say how it is shown. */
const viewSettings: readonly string[] = ['coalesce', 'from', 'match', 'payload', 'sink', 'where']

const reasons: Readonly<Record<string, string>> = {
  stages:
    'stages cannot run there: put them into a subscription of their own, let them derive events, and match those here',
  guarantee: 'a client that comes back with its position misses nothing that is kept, and there is nothing to choose',
  start: 'each client says where it begins (Last-Event-ID or ?after=)',
  paused: 'there is nothing to pause: clients connect when they want',
}

/**
 * Settings of a subscription that mean nothing for a sink that is a view: it has no ledger, so nothing waits, is tried
 * again, is counted or dies. `known` are the settings that there are; what is unknown is reported elsewhere.
 */
export function viewIssues(
  subscription: Readonly<Record<string, unknown>>,
  sink: SinkDeclaration | undefined,
  known: readonly string[],
): SchemaIssue[] {
  if (sink?.served !== 'view') return []
  const found = Object.keys(subscription)
    .filter((name) => known.includes(name) && !viewSettings.includes(name) && subscription[name] !== undefined)
    .map((name): SchemaIssue => {
      const why = reasons[name] ?? `its clients hold their own position, so ${name} means nothing there`
      return {
        code: 'config-invalid',
        path: [name],
        message: `the sink ${sink.name} is a view of the log: ${why}; leave ${name} out`,
        isAboutKey: true,
        available: [...viewSettings],
      }
    })
  return hasLongestWait(subscription['coalesce']) ? [...found, longestWait(sink)] : found
}

function hasLongestWait(coalesce: unknown): boolean {
  return typeof coalesce === 'object' && coalesce !== null && 'maxWait' in coalesce && coalesce.maxWait !== undefined
}

function longestWait(sink: SinkDeclaration): SchemaIssue {
  return {
    code: 'config-invalid',
    path: ['coalesce', 'maxWait'],
    message: `the sink ${sink.name} is a view of the log: no event waits there longer than the window; leave maxWait out`,
    isAboutKey: true,
    available: ['window'],
  }
}
