import type { EventRecord } from '../core/event.ts'
import type { Platform } from '../core/platform.ts'

export type SystemEventType = 'millrace.dead' | 'millrace.disabled' | 'millrace.halted' | 'millrace.quarantined'

/** An event of the engine about a subscription: operators subscribe to trouble with the same tools. */
export function systemEvent(
  type: SystemEventType,
  subscription: string,
  platform: Platform,
  data: Readonly<Record<string, unknown>>,
): EventRecord {
  return {
    source: 'millrace:/engine',
    id: platform.id(),
    type,
    subject: subscription,
    data: JSON.stringify({ subscription, ...data }),
  }
}
