import type { Question } from './harness.ts'
import { fromBacklog, sendingTargets, sendingVariants } from './webhook-runs.ts'

export const question: Question = {
  ask: 'What does the engine add to sending webhooks? (64 in flight to a receiver in another process, until all is settled, against a bare undici loop that sends the same bytes; processor time is that of the sending process. millrace: events in rounds of 10,000, as to a subscription that keeps up; backlog: 200,000 read back from the disk, for comparison)',
  variants: { ...sendingVariants({}), backlog: fromBacklog({}) },
  targets: sendingTargets({ rate: 0.7, processor: 1.5 }),
}
