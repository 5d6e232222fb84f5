// The stage of the subscription `billing`: an order becomes an invoice.
import type { StageInput, StageResult } from 'millrace/plugin'

export default function invoice({ event }: StageInput<{ total: number }>): StageResult {
  const { total } = event.data
  if (total === 0) return { outcome: 'discard', reason: 'nothing to pay' }
  return { outcome: 'ack', derive: [{ type: 'invoice.due', subject: event.subject, data: { total } }] }
}
