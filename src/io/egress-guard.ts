import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { buildConnector } from 'undici'
import { type EgressRules, isWithin, type ListeningAddress, plainHost } from '../core/egress.ts'
import { type Address, isNeverReached, isPublic, parseAddress } from './egress-address.ts'
import { blockedError, connectorOver, dialProxy, dialStraight } from './egress-connect.ts'

/** Finds the addresses of a host name, as `dns.lookup` does. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Decides where outbound HTTP may go. Whatever is refused is refused with the same words. */
export interface EgressGuard {
  /** Whether the URL may be tried at all: scheme, port, and the address where the host is one. */
  allows(url: URL): boolean
  /** Connects to the host of this URL, to addresses that are allowed and to no other. */
  connectorTo(url: URL): buildConnector.connector
}

interface Target {
  readonly host: string
  readonly port: number
  readonly isPlain: boolean
  /** A rule names this host and port. */
  readonly isNamed: boolean
}

/**
 * Makes the guard of these rules. Only public addresses over https are reached; a rule opens an address also for plain http.
 * An address is judged when a connection is made: a literal at once, every answer of a look-up (one that is refused refuses
 * all), and once more what the socket is really connected to, before the first byte.
 * Through a proxy, names are resolved and judged there; literals, ports and schemes are judged here all the same.
 */
export function createEgressGuard(rules: EgressRules, resolve: Resolve = lookup): EgressGuard {
  const ranges = rules.allow.filter((rule) => rule.kind === 'range')
  const endpoints = rules.allow.filter((rule) => rule.kind === 'endpoint')

  const targetOf = (url: URL): Target => {
    const host = plainHost(url.hostname)
    const isPlain = url.protocol === 'http:'
    const port = Number(url.port) || (isPlain ? 80 : 443)
    const isNamed = endpoints.some((rule) => rule.host === host && rule.port === port)
    return { host, port, isPlain, isNamed }
  }
  const mayReach = (target: Target, text: string | undefined): boolean => {
    const address = text === undefined ? undefined : parseAddress(text)
    if (address === undefined || isNeverReached(address)) return false
    if (isOwn(address, target.port, rules.own?.() ?? [])) return false
    if (target.isNamed || ranges.some((range) => isWithin(range, address.bytes))) return true
    return !target.isPlain && isPublic(address)
  }
  return {
    allows(url) {
      if (url.protocol !== 'https:' && url.protocol !== 'http:') return false
      if (url.username !== '' || url.password !== '') return false
      const target = targetOf(url)
      if (!target.isNamed && !isUsualPort(target.port)) return false
      if (isIP(target.host) !== 0) return mayReach(target, target.host)
      // A proxy tells no address, so that a range cannot open plain http to a name.
      return !target.isPlain || target.isNamed || (ranges.length > 0 && rules.proxy === undefined)
    },
    connectorTo(url) {
      const target = targetOf(url)
      const check = (address: string | undefined): boolean => mayReach(target, address)
      if (rules.proxy !== undefined) return connectorOver(dialProxy(rules.proxy))
      return connectorOver(dialStraight(guardedLookup(resolve, check), check))
    },
  }
}

function guardedLookup(resolve: Resolve, check: (address: string) => boolean): LookupFunction {
  return (hostname, options, done) => {
    // All of them are asked for and judged, also where one is enough.
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, '')
      const first = addresses[0]
      if (first === undefined) return done(Object.assign(new Error('no address'), { code: 'ENODATA' }), '')
      if (!addresses.every(({ address }) => check(address))) return done(blockedError(), '')
      if (options.all === true) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }
}

/** Ports of web servers. Those of other services are for a rule that names host and port, also on allowed addresses. */
function isUsualPort(port: number): boolean {
  return port === 80 || port === 443 || (port >= 1024 && !otherServices.has(port))
}

const otherServices = new Set([
  1433, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432,
  5672, 5900, 5984, 6000, 6379, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9042, 9092, 9200, 9300, 10_080,
  10_250, 10_255, 11_211, 26_379, 27_017,
])

function isOwn(address: Address, port: number, own: readonly ListeningAddress[]): boolean {
  return own.some(({ host, port: listening }) => {
    if (listening !== port) return false
    const bound = parseAddress(plainHost(host))
    // A name or a wildcard: whatever leads to this machine.
    if (bound === undefined || bound.bytes.every((byte) => byte === 0)) return isLocal(address)
    return sameBytes(bound, address)
  })
}

function isLocal(address: Address): boolean {
  if (address.block === 'loopback') return true
  const interfaces = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return interfaces.some((each) => {
    const local = parseAddress(each.address)
    return local !== undefined && sameBytes(local, address)
  })
}

function sameBytes(a: Address, b: Address): boolean {
  return a.bytes.length === b.bytes.length && a.bytes.every((byte, index) => byte === b.bytes[index])
}
