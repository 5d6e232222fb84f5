import type { EventRecord } from '../core/event.ts'
import type { Platform } from '../core/platform.ts'
import { readLedgerName } from '../core/replay-name.ts'

export type SystemEventType =
  | 'millrace.dead'
  | 'millrace.breaker'
  | 'millrace.disabled'
  | 'millrace.halted'
  | 'millrace.quarantined'

/** An event of the engine about a subscription, or about a replay of it: operators subscribe to trouble with the same tools. */
export function systemEvent(
  type: SystemEventType,
  name: string,
  platform: Platform,
  data: Readonly<Record<string, unknown>>,
): EventRecord {
  const { subscription, replay } = readLedgerName(name)
  return {
    source: 'millrace:/engine',
    id: platform.id(),
    type,
    subject: subscription,
    data: JSON.stringify({ subscription, replay, ...data }),
  }
}
