import type { EgressRules } from '../core/egress.ts'
import { parseEgressRule } from '../plugin/egress-rule.ts'

/** Egress rules for tests against receivers of their own: loopback addresses, by number or by name. */
export const loopbackEgress: EgressRules = {
  allow: ['127.0.0.0/8', '::1/128'].flatMap((text) => {
    const parsed = parseEgressRule(text)
    return parsed.ok ? [parsed.rule] : []
  }),
}
