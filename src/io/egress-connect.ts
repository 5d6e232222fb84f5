import { request } from 'node:http'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import type { buildConnector } from 'undici'
import type { EgressProxy } from '../core/egress.ts'
import { httpLibrary } from './http-library.ts'

/** The code of the error of a connection that is refused by the rules. */
export const blockedCode = 'ERR_EGRESS_BLOCKED'

/** One error for every reason, and without the target: what is inside a network is nobody's business outside. */
export function blockedError(): Error {
  return Object.assign(new Error('the egress rules do not allow the address'), { code: blockedCode })
}

/** Opens a TCP connection; `done` is called once. What it gives is destroyed when nobody waits any more. */
export type Dial = (
  hostname: string,
  port: number,
  done: (error: Error | null, socket: Socket | null) => void,
) => { destroy(): void }

const connectMs = 10_000

/** A connector of undici over a dial: within ten seconds, and with TLS where the URL says so, for the name in the URL. */
export function connectorOver(dial: Dial): buildConnector.connector {
  let secure: buildConnector.connector | undefined
  return (options, callback) => {
    const { hostname, protocol } = options
    let isOver = false
    const end = (error: Error | null, socket: Socket | null): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      if (error !== null || socket === null) {
        dialled.destroy()
        callback(error ?? new Error('no connection'), null)
      } else if (protocol === 'https:') {
        secure ??= httpLibrary().buildConnector({ timeout: connectMs })
        secure({ ...options, httpSocket: socket }, callback)
      } else callback(null, socket)
    }
    const late = Object.assign(new Error('no connection'), { code: 'UND_ERR_CONNECT_TIMEOUT' })
    const timer = setTimeout(() => end(late, null), connectMs)
    timer.unref()
    const dialled = dial(hostname, Number(options.port) || (protocol === 'https:' ? 443 : 80), end)
  }
}

/** Connects straight, and asks of what the socket is connected to whether that is allowed, before the first byte. */
export function dialStraight(lookup: LookupFunction, check: (address: string | undefined) => boolean): Dial {
  return (hostname, port, done) => {
    const socket = connect({ host: hostname, port, lookup, noDelay: true, keepAlive: true })
    socket.on('error', (error) => done(error, null))
    socket.once('connect', () => done(check(socket.remoteAddress) ? null : blockedError(), socket))
    return socket
  }
}

/** Connects through a proxy, which resolves the name and judges the address: what it refuses (403, 407) is blocked. */
export function dialProxy(proxy: EgressProxy): Dial {
  return (hostname, port, done) => {
    const path = `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`
    const asked = request({
      host: proxy.host,
      port: proxy.port,
      method: 'CONNECT',
      path,
      agent: false,
      headers: { host: path },
    })
    asked.on('error', (error) => done(error, null))
    asked.once('connect', ({ statusCode }, socket: Socket) => {
      socket.on('error', () => undefined)
      if (statusCode === 200) done(null, socket)
      else done(statusCode === 403 || statusCode === 407 ? blockedError() : proxyError(), null)
    })
    // An answer to CONNECT that is no tunnel and no refusal.
    asked.once('response', () => done(proxyError(), null))
    asked.end()
    return asked
  }
}

function proxyError(): Error {
  return Object.assign(new Error('the proxy could not connect'), { code: 'ERR_EGRESS_PROXY' })
}
