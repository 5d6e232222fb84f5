import type { Log } from '../core/platform.ts'
import type { EventPath } from '../plugin/event-path.ts'
import type { Pipeline } from '../runtime/api.ts'
import type { Addresses } from './address.ts'
import type { Auth, AuthOptions, Caller } from './auth.ts'
import type { BodyReader } from './body-reader.ts'
import type { GuardOptions } from './guard.ts'
import type { Answer, HttpRequest } from './http.ts'
import type { LiveStreams } from './live.ts'
import type { Budget, Rate, RateLimit } from './pressure.ts'
import type { Tickets } from './tickets.ts'

export interface ServerLimits {
  /** Bytes of one body, and of one line of a stream. */
  readonly bodyBytes: number
  /** Events of one batch. */
  readonly batch: number
  /** Bodies of events may be compressed with gzip. Default: they may not. */
  readonly gzip?: boolean | undefined
  /** Nesting of data. */
  readonly depth: number
}

/** What the server and the fetch handler share in their options. */
export interface FaceOptions extends AuthOptions {
  readonly limits: ServerLimits
  readonly log?: Log | undefined
  /** Names that `Host` may have beside those of this machine. */
  readonly hosts?: readonly string[] | undefined
  /** Origins of other sites whose pages may call. None by default. */
  readonly origins?: readonly string[] | undefined
  /** What may be under way at once; beyond it 503. Default: 512 requests, 64 streams, 64 MiB. */
  readonly inFlight?: { readonly requests?: number; readonly streams?: number; readonly bytes?: number } | undefined
  /** Requests a second per token, or per address without one. Unlimited by default. */
  readonly rate?: Rate | undefined
  /** Addresses or networks of proxies whose `X-Forwarded-For` is believed. None by default. */
  readonly trustedProxies?: readonly string[] | undefined
  /** Places of events whose value is shown as `***` where events are looked at. None by default. */
  readonly mask?: readonly EventPath[] | undefined
  /** How long a stream may send nothing. Default: 30 s. */
  readonly idleMs?: number | undefined
  /** Shown in OpenAPI and metrics. Default: that of this package. */
  readonly version?: string | undefined
}

/** Everything that the routes share. */
export interface ServerContext {
  readonly pipeline: Pipeline
  readonly limits: ServerLimits
  readonly log: Log
  readonly auth: Auth
  readonly guard: GuardOptions
  /** True when the server is bound to an address that only this machine can reach. */
  readonly isLoopback: boolean
  readonly addresses: Addresses
  readonly tickets: Tickets
  readonly rateLimit: RateLimit
  /** True when everybody is limited, and not only tokens with a rate of their own. */
  readonly isLimited: boolean
  readonly bodies: BodyReader
  readonly requests: Budget
  readonly streams: Budget
  readonly idleMs: number
  readonly mask: readonly EventPath[]
  readonly version: string
  /** Aborted as soon as the server drains. */
  readonly draining: AbortSignal
  /** Streams of views. */
  readonly live: LiveStreams
  /** Answers by status code, for metrics. */
  readonly answered: Map<number, number>
}

/** One call of a route: everything about it is checked. */
export interface Call {
  readonly request: HttpRequest
  readonly context: ServerContext
  readonly caller: Caller
  /** Decoded path parameters in their order. */
  readonly params: readonly string[]
  readonly query: unknown
  readonly body: unknown
}

export type Handler = (call: Call) => Answer | Promise<Answer>
