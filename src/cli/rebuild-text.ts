import type { RebuildState, RebuildStatus } from '../runtime/rebuild/face.ts'
import type { CliIo } from './io.ts'
import { count } from './numbers.ts'
import { clean, paint, type Style } from './table.ts'

const stateStyles: Readonly<Record<RebuildState, Style>> = {
  building: 'cyan',
  stuck: 'red',
  switching: 'cyan',
  done: 'green',
  cancelled: 'dim',
}

/** How a rebuild stands, in a sentence or two. */
export function rebuildText(io: Pick<CliIo, 'isTty' | 'env'>, status: RebuildStatus): string {
  const { subscription, state, reason, version, examined, head, delivered, dead, lost, open } = status
  const others = Object.entries({ dead, lost, open }).filter(([, value]) => value > 0)
  const numbers = [`${count(delivered)} events folded`, ...others.map(([name, value]) => `${count(value)} ${name}`)]
  const why = reason === undefined ? '' : `: ${clean(reason, 500)}`
  return `Rebuild of ${clean(subscription)}, version ${clean(version)}, is ${paint(io, stateStyles[state], state)} at event ${count(examined)} of ${count(head)}${why}. ${numbers.join(', ')}.`
}
