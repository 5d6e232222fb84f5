import type { Log } from '../core/platform.ts'
import { version } from '../core/version.ts'
import type { Pipeline } from '../runtime/api.ts'
import { createAddresses } from './address.ts'
import { createAuth } from './auth.ts'
import { createBodyReader } from './body-reader.ts'
import type { FaceOptions, ServerContext } from './context.ts'
import { createHostList } from './guard.ts'
import { createLiveStreams } from './live.ts'
import { createBudget, createRateLimit } from './pressure.ts'
import { createTickets } from './tickets.ts'

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Who can reach a server: this machine, others too, or whoever the application lets through to its handler. */
export type Reach = 'loopback' | 'wide' | 'mounted'

/** Fills in what the options leave open. `hosts` undefined: any `Host` is answered. */
export function contextOf(
  pipeline: Pipeline,
  options: FaceOptions,
  hosts: readonly string[] | undefined,
  reach: Reach,
  draining: AbortSignal,
): ServerContext {
  const { requests = 512, streams = 64, bytes = 64 * 2 ** 20 } = options.inFlight ?? {}
  return {
    pipeline,
    limits: options.limits,
    log: options.log ?? silent,
    auth: createAuth(options, reach === 'wide'),
    isLoopback: reach === 'loopback',
    addresses: createAddresses(options.trustedProxies ?? []),
    tickets: createTickets(),
    guard: {
      hosts: hosts && createHostList(hosts),
      origins: new Set(options.origins),
    },
    rateLimit: createRateLimit(options.rate, () => performance.now()),
    isLimited: options.rate !== undefined,
    bodies: createBodyReader(),
    requests: createBudget(requests, bytes),
    streams: createBudget(streams, bytes),
    idleMs: options.idleMs ?? 30_000,
    mask: options.mask ?? [],
    version: options.version ?? version,
    draining,
    live: createLiveStreams(draining),
    answered: new Map(),
  }
}
