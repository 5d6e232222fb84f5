import { type EgressRules, plainHost, publicOnly } from '../core/egress.ts'
import type { PluginWarning } from '../plugin/define.ts'
import { createEgressGuard } from './egress-guard.ts'

/**
 * What `check` says of a URL that the egress rules refuse, found without a look-up: an address, a port, or http where no
 * rule opens it. `outcome` is what comes of it. Shows host and port, never the path, which may be the credential.
 */
export function egressWarnings(url: URL, egress: EgressRules | undefined, outcome: string): PluginWarning[] {
  if (createEgressGuard(egress ?? publicOnly).allows(url)) return []
  const port = Number(url.port) || (url.protocol === 'http:' ? 80 : 443)
  const text = `${url.hostname}:${port}`
  const rule = { kind: 'endpoint', host: plainHost(url.hostname), port, text } as const
  const canBeOpened = createEgressGuard({ allow: [rule] }).allows(url)
  const hint = canBeOpened ? `put "${text}" into egress.allow to open it` : 'no rule opens it'
  return [{ path: ['url'], message: `the egress rules refuse this address, so that ${outcome}: ${hint}` }]
}
