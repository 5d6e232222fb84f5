import type { LedgerRecord } from '../core/ledger-state.ts'
import type { Log } from '../core/platform.ts'
import type { Store } from '../plugin/store.ts'
import { type Configured, compareWithStore, writeShapes } from './against-store.ts'
import type { Lanes } from './lanes.ts'
import type { Desk } from './run-time/desk.ts'

/** Changes that the log of a start says one by one. */
const mostLines = 10

/** The subscriptions of the configuration that have a ledger. */
export function configuredLanes(lanes: Lanes, desk: Desk): Configured[] {
  return lanes
    .subscriptions()
    .filter(({ name }) => !desk.has(name))
    .map(({ policy, setup }) => ({ policy, stages: setup.stages.map(({ name }) => name), sink: setup.sinkName }))
}

/**
 * Says in the log what this configuration changes for the deliveries of the store, as its ledgers were before this start,
 * and remembers it for the next one.
 */
export async function reportChanges(
  store: Store,
  log: Log,
  configured: readonly Configured[],
  before: readonly LedgerRecord[],
): Promise<void> {
  const all = await compareWithStore(store, configured, before, false)
  // A store without events, or without a ledger, is a first start: everything is new, and nobody needs to be told.
  const changes = store.head() === 0 || before.length === 0 ? [] : all
  const retired = changes.filter(({ kind }) => kind === 'retired')
  if (retired.length > 0) {
    const names = retired.map(({ subscription }) => subscription).join(', ')
    log.warn(
      `the store has subscriptions that the configuration does not name: ${names}. They keep their place and hold back retention until dropped (millrace subscriptions drop NAME)`,
    )
  }
  const others = changes.filter(({ kind }) => kind !== 'retired')
  for (const { subscription, severity, message } of others.slice(0, mostLines))
    log[severity === 'note' ? 'info' : 'warn'](`subscription ${subscription} ${message}`)
  if (others.length > mostLines)
    log.info(`${others.length - mostLines} more changes to subscriptions: millrace check --against-store shows all`)
  await writeShapes(store, configured)
}
