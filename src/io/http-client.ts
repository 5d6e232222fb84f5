import type { buildConnector, Pool } from 'undici'
import { type EgressRules, publicOnly } from '../core/egress.ts'
import { createEgressGuard, type Resolve } from './egress-guard.ts'
import type { NoAnswer } from './http-failure.ts'
import { httpLibrary } from './http-library.ts'
import { type HttpAnswer, type HttpPost, post } from './http-post.ts'
import {
  type HttpRequest,
  type HttpResponse,
  type HttpStream,
  openStream,
  readWhole,
  type StreamRequest,
} from './http-request.ts'

export type { HttpAnswer, HttpPost } from './http-post.ts'
export type { HttpRequest, HttpResponse, HttpStream, StreamRequest } from './http-request.ts'

/** The one way out over HTTP. What goes wrong is an answer and never thrown; redirects are answers like others. */
export interface HttpClient {
  /**
   * One POST whose answer is only looked at: status, `Retry-After`, the beginning of an error's text. Gives what `conclude`
   * makes of it, and rejects with what that throws.
   */
  post<Result>(request: HttpPost, conclude: (answer: HttpAnswer) => Result): Promise<Result>
  /** One request whose whole answer is wanted. */
  request(request: HttpRequest): Promise<HttpResponse | NoAnswer>
  /** One request whose answer is read while it comes, for as long as it comes. */
  open(request: StreamRequest): Promise<HttpStream | NoAnswer>
  /** Ends every connection. Called when nothing is under way any more. */
  close(): Promise<void>
}

export interface HttpClientOptions {
  /** What may be reached beside public addresses: `CreateContext.egress`. Absent: nothing. */
  readonly egress?: EgressRules | undefined
  /** How long a connection may stay unused; longer than the pauses of a quiet pipeline, shorter than usual servers close. */
  readonly keepAliveMs?: number | undefined
  /** Connections per origin at most; a connection is free one turn after its answer, and without a bound others are opened meanwhile. */
  readonly connections?: number | undefined
  /** How names become addresses. Default: as the system does it. */
  readonly resolve?: Resolve | undefined
}

/** Where the requests of one URL go; without a pool, nowhere. */
interface Route {
  readonly url: URL
  readonly path: string
  readonly pool: Pool | undefined
}

/**
 * Opens the one way out: a pool of kept-alive connections per origin, each made by the egress guard; no redirects, no proxies
 * from the environment. Whoever calls bounds what is under way (a subscription’s concurrency), and with `connections` how
 * many are open.
 */
export function openHttpClient(options: HttpClientOptions = {}): HttpClient {
  const guard = createEgressGuard(options.egress ?? publicOnly, options.resolve)
  const pools = new Map<string, Pool>()
  const poolOf = (url: URL): Pool | undefined => {
    if (!guard.allows(url)) return undefined
    const { origin } = url
    let pool = pools.get(origin)
    if (pool === undefined) {
      if (pools.size >= mostPools) forgetIdle(pools)
      pool = createPool(origin, guard.connectorTo(url), options)
      pools.set(origin, pool)
    }
    return pool
  }
  // A webhook posts to one URL again and again.
  let recent: Route | undefined
  const routeOf = (url: URL): Route => {
    if (recent?.url === url && recent.pool?.destroyed !== true) return recent
    recent = { url, path: url.pathname + url.search, pool: poolOf(url) }
    return recent
  }
  return {
    post(request, conclude) {
      const { pool, path } = routeOf(request.url)
      return pool === undefined ? Promise.resolve(conclude({ kind: 'blocked' })) : post(pool, path, request, conclude)
    },
    async request(request) {
      const pool = poolOf(request.url)
      return pool === undefined ? { kind: 'blocked' } : readWhole(pool, request)
    },
    async open(request) {
      const pool = poolOf(request.url)
      return pool === undefined ? { kind: 'blocked' } : openStream(pool, request)
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
      pools.clear()
      recent = undefined
    },
  }
}

/** Origins whose pools are kept; beyond, those that have nothing to do are forgotten. */
const mostPools = 1000

function forgetIdle(pools: Map<string, Pool>): void {
  for (const [origin, pool] of pools) {
    const { running, pending, queued } = pool.stats
    if (running + pending + queued > 0) continue
    pools.delete(origin)
    void pool.destroy()
  }
}

function createPool(
  origin: string,
  connect: buildConnector.connector,
  { keepAliveMs = 30_000, connections }: HttpClientOptions,
): Pool {
  const { Pool } = httpLibrary()
  return new Pool(origin, {
    keepAliveTimeout: keepAliveMs,
    pipelining: 1,
    ...(connections !== undefined && { connections }),
    // The caller's deadline is the one; these timers only end what nobody waits for.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 16 * 1024,
    connect,
  })
}
