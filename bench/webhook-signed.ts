import type { Question } from './harness.ts'
import { sendingTargets, sendingVariants } from './webhook-runs.ts'

/** Not secret: it signs what goes to a receiver of this benchmark. */
const secret = 'whsec_bWlsbHJhY2UtYmVuY2htYXJrLXNlY3JldC0wMDAx'

export const question: Question = {
  ask: 'What do signing, the egress guard and attempt records add to sending webhooks? (as webhook; the bare loop sends the same signed bytes and signs nothing)',
  variants: sendingVariants({ secret }),
  targets: sendingTargets({ rate: 0.7, processor: 1.6 }),
}
