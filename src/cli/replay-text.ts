import type { ReplayState, ReplayStatus } from '../runtime/replay/face.ts'
import type { CliIo } from './io.ts'
import { clock, count, counted, span } from './numbers.ts'
import { type Column, clean, paint, type Style } from './table.ts'

const stateStyles: Readonly<Record<ReplayState, Style>> = {
  running: 'cyan',
  paused: 'yellow',
  failed: 'red',
  done: 'green',
  cancelled: 'dim',
}

/** How much of a replay is done, 0 to 1. */
export function partOf({ counts, total }: ReplayStatus): number {
  return total === 0 ? 1 : (counts.examined - counts.open) / total
}

export const replayColumns: readonly Column<ReplayStatus>[] = [
  { title: 'subscription', value: ({ subscription }) => subscription },
  { title: 'id', value: ({ id }) => id, isWhole: true },
  { title: 'state', value: ({ state }) => state, style: ({ state }) => stateStyles[state] },
  { title: 'events', value: ({ from, to }) => `${from}-${to}`, isNumber: true },
  { title: 'progress', value: (replay) => `${Math.floor(partOf(replay) * 100)}%`, isNumber: true },
  { title: 'delivered', value: ({ counts }) => counts.delivered, isNumber: true },
  {
    title: 'dead',
    value: ({ counts }) => counts.dead,
    isNumber: true,
    style: ({ counts }) => (counts.dead > 0 ? 'red' : undefined),
  },
  { title: 'rate', value: ({ rate }) => rate, isNumber: true },
  { title: 'left', value: ({ etaSeconds }) => (etaSeconds === undefined ? undefined : span(etaSeconds * 1000)) },
  { title: 'begun (UTC)', value: ({ createdAt }) => clock(createdAt), style: () => 'dim' },
]

/** What came of a replay, in a sentence or two. */
export function replayText(io: Pick<CliIo, 'isTty' | 'env'>, replay: ReplayStatus): string {
  const { id, subscription, state, reason, from, to, counts, removed } = replay
  const { delivered, discarded, expired, dead, lost, open } = counts
  const others = Object.entries({ discarded, expired, lost, dead, open }).filter(([, value]) => value > 0)
  const numbers = [`${count(delivered)} delivered`, ...others.map(([name, value]) => `${count(value)} ${name}`)]
  const why = reason === undefined ? '' : `: ${clean(reason)}`
  const gone = removed > 0 ? ` ${counted(removed, 'event')} of the range had been removed before.` : ''
  return `Replay ${id} of ${clean(subscription)}, events ${count(from)} to ${count(to)}, is ${paint(io, stateStyles[state], state)}${why}. ${numbers.join(', ')}.${gone}`
}
