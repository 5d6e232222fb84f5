import type { PipelineStats } from './api.ts'

/** The counters of a pipeline as a table for people. */
export function formatStats(stats: Omit<PipelineStats, 'toString'>): string {
  const { stored, duplicate, conflict, refused, quarantined } = stats.published
  const lines = [
    `log: ${stats.head} ${stats.head === 1 ? 'event' : 'events'}, durability ${stats.durability}, up ${Math.round(stats.uptimeSeconds)} s`,
    `published: ${stored} stored, ${duplicate} duplicate, ${conflict} conflict, ${refused} refused, ${quarantined} quarantined`,
  ]
  const rows = Object.values(stats.subscriptions).map(({ name, state, lag, open, counters, view, tap }) =>
    [
      name,
      state,
      lag,
      counters.filtered,
      // A view has no deliveries: what it sent to its clients.
      view?.sent ?? counters.delivered,
      tap?.discarded ?? counters.discarded,
      counters.dead,
      open,
      counters.retries,
    ].map(String),
  )
  if (rows.length > 0)
    lines.push(
      '',
      ...table(['subscription', 'state', 'lag', 'filtered', 'delivered', 'discarded', 'dead', 'open', 'retries'], rows),
    )
  const steps = Object.values(stats.subscriptions).flatMap(({ name, stages = [] }) =>
    stages.map((step) =>
      [
        name,
        step.name,
        step.items,
        step.perItemMs.toFixed(3),
        step.waiting,
        step.running,
        step.failed,
        step.waits,
        step.discarded,
        step.rejected,
      ].map(String),
    ),
  )
  if (steps.length > 0)
    lines.push(
      '',
      ...table(
        ['subscription', 'stage', 'items', 'ms each', 'waiting', 'running', 'failed', 'waits', 'discarded', 'rejected'],
        steps,
      ),
    )
  for (const { name, rebuild } of Object.values(stats.subscriptions))
    if (rebuild !== undefined && rebuild.endedAt === undefined)
      lines.push('', `rebuild of ${name}: ${rebuild.state}, event ${rebuild.examined} of ${rebuild.head}`)
  return lines.join('\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd()
  return [line(head), ...rows.map(line)]
}
