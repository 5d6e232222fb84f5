import { messageOf } from '../core/errors.ts'
import type { Health } from './api.ts'
import type { Opened } from './opened.ts'

/** A lane with work and no attempt under way for this long is not progressing. */
const stalledMs = 60_000

/** Whether the pipeline can take traffic and moves what it has, from the same sets that delivery works on. */
export async function healthOf(opened: Opened, isStopping: boolean): Promise<Health> {
  const { store, settler, lanes, views, services, dispatch } = opened
  const problems: string[] = []
  if (isStopping) problems.push('the pipeline is stopping')
  await store.checkWritable().catch((error: unknown) => {
    problems.push(`the store cannot be written: ${messageOf(error)}`)
  })
  if (settler.isFailing) problems.push(`ledgers cannot be written: ${settler.lastError ?? 'no reason given'}`)
  if (dispatch.isFailing)
    problems.push(`the log cannot be read for delivery: ${dispatch.lastError ?? 'no reason given'}`)
  for (const { name, error } of views.failing)
    problems.push(`the log cannot be read for the clients of ${name}: ${error}`)
  for (const { name, stalledForMs, overdue } of lanes.values()) {
    if (stalledForMs > stalledMs) {
      problems.push(`subscription ${name} has work and made no attempt for ${Math.round(stalledForMs / 1000)} s`)
    }
    if (overdue > 0) problems.push(`subscription ${name} has ${overdue} attempts that ignore their timeout`)
  }
  const loops: Record<string, Health['loops'][string]> = {}
  for (const [name, state] of services.loops) loops[name] = { ...state }
  loops['dispatch'] = { restarts: dispatch.restarts, lastError: dispatch.lastError, alive: !isStopping }
  const warnings = [...lanes.values()].flatMap(({ name, unreadable }) =>
    unreadable.size === 0
      ? []
      : [
          `${unreadable.size} deliveries of ${name} are dead letters because the store is damaged: run "millrace verify"`,
        ],
  )
  return { ready: problems.length === 0, problems, warnings, loops }
}
