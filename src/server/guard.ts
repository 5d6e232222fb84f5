import { AppError } from '../core/errors.ts'
import { type HttpRequest, headerOf } from './http.ts'
import { echo } from './problem.ts'

export interface GuardOptions {
  /** Names that `Host` may have, without port; undefined: any. */
  readonly hosts: ReadonlySet<string> | undefined
  /** Origins of other sites that may call, for example `https://ops.example`. */
  readonly origins: ReadonlySet<string>
}

export const loopbackHosts: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

/**
 * Refuses what a browser sends on behalf of another site: an unknown `Host` (DNS rebinding), a foreign `Origin`, and
 * `Sec-Fetch-Site: cross-site`. Programs send none of the last two.
 */
export function checkSite(request: HttpRequest, options: GuardOptions): void {
  const host = headerOf(request, 'host')
  if (options.hosts !== undefined && !options.hosts.has(hostName(host ?? ''))) {
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

/** `Host` without its port, in lower case. */
function hostName(host: string): string {
  const colon = host.lastIndexOf(':')
  const name = colon > host.lastIndexOf(']') ? host.slice(0, colon) : host
  return name.toLowerCase()
}
