import type { Log } from '../core/platform.ts'
import type { Pipeline } from '../runtime/api.ts'
import { createAuth } from './auth.ts'
import type { FaceOptions, ServerContext } from './context.ts'
import { createBudget, createRateLimit } from './pressure.ts'

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Fills in what the options leave open. `hosts` undefined: any `Host` is answered. */
export function contextOf(
  pipeline: Pipeline,
  options: FaceOptions,
  hosts: readonly string[] | undefined,
  draining: AbortSignal,
): ServerContext {
  const { requests = 512, streams = 64, bytes = 64 * 2 ** 20 } = options.inFlight ?? {}
  return {
    pipeline,
    limits: options.limits,
    log: options.log ?? silent,
    auth: createAuth(options),
    guard: {
      hosts: hosts === undefined ? undefined : new Set(hosts.map((host) => host.toLowerCase())),
      origins: new Set(options.origins),
    },
    rateLimit: options.rate === undefined ? undefined : createRateLimit(options.rate, () => performance.now()),
    requests: createBudget(requests, bytes),
    streams: createBudget(streams, bytes),
    idleMs: options.idleMs ?? 30_000,
    version: options.version ?? '0.0.0',
    draining,
    answered: new Map(),
  }
}
