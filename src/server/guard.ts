import { AppError } from '../core/errors.ts'
import type { Addresses } from './address.ts'
import { type HttpRequest, headerOf } from './http.ts'
import { echo } from './problem.ts'

export interface GuardOptions {
  /** Which `Host` is answered; undefined: any. */
  readonly hosts: HostList | undefined
  /** Origins of other sites that may call, for example `https://ops.example`. */
  readonly origins: ReadonlySet<string>
}

export interface HostList {
  has(host: string): boolean
}

/** The values of `Host` with one of these names, whatever the port. The last one found is remembered: it is nearly always the same. */
export function createHostList(names: readonly string[]): HostList {
  const known = new Set(names.map((name) => name.toLowerCase()))
  let last: string | undefined
  return {
    has(host) {
      if (host === last) return true
      if (!known.has(hostName(host))) return false
      last = host
      return true
    },
  }
}

export const loopbackHosts: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/**
 * Refuses what a browser sends on behalf of another site: an unknown `Host` (DNS rebinding), a foreign `Origin`, and
 * `Sec-Fetch-Site: cross-site`. Programs send none of the last two.
 */
export function checkSite(request: HttpRequest, options: GuardOptions): void {
  const host = headerOf(request, 'host')
  if (options.hosts !== undefined && !options.hosts.has(host ?? '')) {
    throw new AppError('host-unknown', `this server does not answer for the host ${echo(host ?? '')}`)
  }
  const origin = headerOf(request, 'origin')
  if (origin !== undefined && !options.origins.has(origin) && !isSameOrigin(origin, host, options)) {
    throw new AppError('forbidden', `requests from pages of ${echo(origin)} are not allowed`)
  }
  if (origin === undefined && headerOf(request, 'sec-fetch-site') === 'cross-site') {
    throw new AppError('forbidden', 'requests from pages of other sites are not allowed')
  }
}

// Only a host of the list proves anything: a page of evil.test that resolves to us has the origin that its Host says.
function isSameOrigin(origin: string, host: string | undefined, options: GuardOptions): boolean {
  if (options.hosts === undefined || host === undefined) return false
  return origin === `http://${host}` || origin === `https://${host}`
}

const forwarding = ['x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'forwarded', 'via'] as const

/**
 * True for a request that a program of this machine made itself: the server is bound to loopback, and nothing says that a
 * proxy passes on what came from elsewhere.
 */
export function isFromHere(
  request: HttpRequest,
  { isLoopback, addresses }: { readonly isLoopback: boolean; readonly addresses: Addresses },
): boolean {
  if (!isLoopback || addresses.isProxy(request.address)) return false
  if (forwarding.some((name) => request.headers[name] !== undefined)) return false
  return loopbackHosts.includes(hostName(headerOf(request, 'host') ?? ''))
}

/** `Host` without its port, in lower case. */
function hostName(host: string): string {
  const colon = host.lastIndexOf(':')
  const name = colon > host.lastIndexOf(']') ? host.slice(0, colon) : host
  return name.toLowerCase()
}
