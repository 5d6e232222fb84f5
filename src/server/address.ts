import { BlockList, isIP } from 'node:net'
import { type HttpRequest, headerOf } from './http.ts'

/** Tells where a request comes from. */
export interface Addresses {
  /** The other end; behind trusted proxies whom they name. Two addresses of one IPv6 network count as one. */
  of(request: HttpRequest): string
  /** True when the other end is a trusted proxy. */
  isProxy(address: string | undefined): boolean
}

/** `X-Forwarded-For` counts only as far as trusted proxies wrote it: everything left of that is a claim (SEC-40). */
export function createAddresses(trusted: readonly string[]): Addresses {
  const list = new BlockList()
  for (const entry of trusted) {
    const [ip = '', bits] = entry.split('/')
    const family = isIP(ip) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(ip, family)
    else list.addSubnet(ip, Number(bits), family)
  }
  const isProxy = (address: string | undefined): boolean => {
    const family = isIP(address ?? '')
    return trusted.length > 0 && family !== 0 && list.check(address as string, family === 6 ? 'ipv6' : 'ipv4')
  }
  return {
    isProxy,
    of(request) {
      let { address } = request
      if (!isProxy(address)) return networkOf(address)
      const named = (headerOf(request, 'x-forwarded-for') ?? '').split(',').reverse()
      for (const text of named) {
        const name = text.trim()
        if (isIP(name) === 0) break
        address = name
        if (!isProxy(name)) break
      }
      return networkOf(address)
    },
  }
}

/** One network of IPv6 has more addresses than a table has rows: its first 64 bits stand for all of them. */
function networkOf(address: string | undefined): string {
  if (address === undefined || isIP(address) !== 6) return address ?? ''
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped !== null) return mapped[1] as string
  const [head = '', tail] = address.split('%', 1)[0]!.toLowerCase().split('::') as [string, string?]
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  const groups = tail === undefined ? before : [...before, ...zeros, ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
