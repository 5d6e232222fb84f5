import { AppError } from '../core/errors.ts'
import { defineSink } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Sink } from '../plugin/sink.ts'
import { count, duration } from '../plugin/values.ts'

const defaults = { heartbeatMs: 15_000, patienceMs: 20_000, connections: 10_000, connectionsPerToken: 1_000 } as const

/** Streams events to clients that connect: `GET /v1/subscriptions/{name}/stream`, for `EventSource` and others. */
export const sse = defineSink({
  name: 'sse',
  summary: 'Streams events to clients that connect over HTTP (server-sent events).',
  delivers:
    'At least once to a client that comes back with the id it had last: it is sent everything that matches and is still ' +
    'kept, in order, and is told of what is not. Nothing is remembered of clients, and none of them holds anything back. ' +
    'A client that takes nothing is cut off and comes back.',
  options: schema.strictObject({
    heartbeat: duration('How often a client is told how far it has come. Default: 15s.', 1).optional(),
    patience: duration(
      'A client that leaves what it was sent untaken for so long is cut off. Default: 20s.',
      1,
    ).optional(),
    connections: count(`Clients at once. Default: ${defaults.connections}.`).optional(),
    connectionsPerToken: count(`Clients at once with one token. Default: ${defaults.connectionsPerToken}.`).optional(),
  }),
  example: {},
  served: 'view',
  atRunTime: {},
  view: ({ heartbeat, patience, connections, connectionsPerToken }) => ({
    heartbeatMs: heartbeat ?? defaults.heartbeatMs,
    patienceMs: patience ?? defaults.patienceMs,
    connections: connections ?? defaults.connections,
    connectionsPerToken: connectionsPerToken ?? defaults.connectionsPerToken,
  }),
  create: (): Sink => ({
    deliver() {
      throw new AppError(
        'state-conflict',
        'delivering to the sink sse failed: it is a view of the log, and its clients fetch from it over HTTP',
      )
    },
  }),
})
