import ipaddr from 'ipaddr.js'
import {
  type AddressBytes,
  type EgressProxy,
  type EgressRule,
  isWithin,
  neverReached,
  plainHost,
} from '../core/egress.ts'
import { schema } from './schema.ts'

type Parsed = { readonly ok: true; readonly rule: EgressRule } | { readonly ok: false; readonly problem: string }

const bad = (problem: string): Parsed => ({ ok: false, problem })

/** Reads one rule: a range of addresses such as `10.0.0.0/8`, or a host with its port such as `crm.internal:8080`. */
export function parseEgressRule(text: string): Parsed {
  if (text.includes('/')) return parseRange(text)
  if (ipaddr.isValid(text))
    return bad('an address stands alone: write a range such as 10.1.2.3/32, or an address with its port')
  return parseEndpoint(text)
}

function parseRange(text: string): Parsed {
  if (text.includes('%') || !(ipaddr.IPv6.isValidCIDR(text) || ipaddr.IPv4.isValidCIDRFourPartDecimal(text)))
    return bad('this is not a range of addresses such as 10.0.0.0/8 or fd00::/8')
  const [address, prefix] = ipaddr.parseCIDR(text)
  const bytes = address.toByteArray()
  if (hasBitsBehind(bytes, prefix)) return bad('the address has bits behind the prefix: set them to zero')
  if (isNever(bytes, prefix)) return bad(never)
  return { ok: true, rule: { kind: 'range', bytes, prefix, text } }
}

const never = 'link-local, metadata, multicast and reserved addresses are never reached: no rule opens them'

function isNever(bytes: AddressBytes, prefix: number): boolean {
  return neverReached.some((range) => range.prefix <= prefix && isWithin(range, bytes))
}

/** `10.1.2.3/8` is more often a slip of the pen than meant. */
function hasBitsBehind(bytes: readonly number[], prefix: number): boolean {
  return bytes.some((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefix - index * 8))
    return (byte & (0xff >> kept)) !== 0
  })
}

const example = 'a range such as 10.0.0.0/8, or a host with its port such as crm.internal:8080, is needed'

function parseEndpoint(text: string): Parsed {
  const written = /^(\[[^\]]+\]|[^:[\]/?#@\s]+):(\d{1,5})$/.exec(text)
  if (written === null) return bad(example)
  const port = Number(written[2])
  if (port < 1 || port > 65_535) return bad('a port is a number from 1 to 65535')
  const url = URL.parse(`http://${written[1]}/`)
  if (url === null || /[*%]/.test(text)) return bad(`the host is not one: ${example}`)
  const host = plainHost(url.hostname)
  if (ipaddr.isValid(host)) {
    const bytes = ipaddr.parse(host).toByteArray()
    if (isNever(bytes, bytes.length * 8)) return bad(never)
  }
  return { ok: true, rule: { kind: 'endpoint', host, port, text } }
}

const rule = schema
  .string()
  .min(1)
  .transform((text, context): EgressRule => {
    const parsed = parseEgressRule(text)
    if (parsed.ok) return parsed.rule
    context.addIssue({ code: 'custom', message: parsed.problem })
    return schema.NEVER
  })

/** The setting `egress`. */
export const egressSetting = schema.strictObject({
  allow: schema
    .array(rule)
    .describe('Ranges of private addresses, or host:port, that may be reached, also over plain http. Default: none.')
    .optional(),
  proxy: schema
    .string()
    .transform((text, context): EgressProxy => {
      const proxy = parseProxy(text)
      if (proxy !== undefined) return proxy
      context.addIssue({ code: 'custom', message: 'a proxy is written as http://host:port, without anything else' })
      return schema.NEVER
    })
    .describe('A forward proxy that every connection goes through (CONNECT): http://host:port. Default: none.')
    .optional(),
})

function parseProxy(text: string): EgressProxy | undefined {
  const url = /^http:\/\/[^/?#@\s]+:\d{1,5}\/?$/i.test(text) ? URL.parse(text) : null
  return url === null ? undefined : { host: plainHost(url.hostname), port: Number(url.port) || 80 }
}
