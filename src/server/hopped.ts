import type { CheckedEvent } from '../core/event-check.ts'
import { hopHeader, readHops, withHops } from '../core/hops.ts'
import { type HttpRequest, headerOf } from './http.ts'

/** Writes on each event of a request through how many pipelines it came: another pipeline's sender says so in a header (SEC-16). */
export function hoppedBy(request: HttpRequest): (checked: CheckedEvent) => CheckedEvent {
  const hops = readHops(headerOf(request, hopHeader))
  if (hops === 0) return (checked) => checked
  return (checked) => (checked.ok ? { ...checked, record: withHops(checked.record, hops) } : checked)
}
