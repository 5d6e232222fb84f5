import type { Handler } from './context.ts'
import type { RouteName } from './contract.ts'
import { readAdminLog } from './routes/admin-log.ts'
import { confirmBatch, extendBatch, fetchBatch, releaseBatch } from './routes/batches.ts'
import {
  dropSubscription,
  putSubscription,
  readSubscription,
  rotateSecret,
  rotateSecretKey,
  testSubscription,
} from './routes/desk.ts'
import { explainEvent, readDeliveries, readEvent, searchEvents } from './routes/events.ts'
import { publishEvents } from './routes/publish.ts'
import { receiveWebhook } from './routes/receive.ts'
import {
  cancelReplay,
  listAllReplays,
  listReplays,
  pauseReplay,
  readReplay,
  resumeReplay,
  startReplay,
} from './routes/replays.ts'
import { readAsyncApi, redriveQuarantined } from './routes/schemas.ts'
import { livez, readAudit, readError, readMetrics, readOpenApi, readyz } from './routes/service.ts'
import {
  cancelRebuild,
  finishRebuild,
  listState,
  readRebuild,
  readState,
  readStateEntry,
  startRebuild,
} from './routes/state.ts'
import { streamSubscription } from './routes/stream.ts'
import { appendToStream, readStream } from './routes/streams.ts'
import {
  discardDead,
  listDead,
  listSubscriptions,
  pauseSubscription,
  redriveDead,
  resumeSubscription,
} from './routes/subscriptions.ts'
import { createTicket } from './routes/tickets.ts'

/** What answers each route of the contract. */
export const handlers: Readonly<Record<RouteName, Handler>> = {
  publishEvents,
  receiveWebhook,
  searchEvents,
  readEvent,
  readDeliveries,
  readStream,
  appendToStream,
  listSubscriptions,
  readSubscription,
  putSubscription,
  dropSubscription,
  testSubscription,
  rotateSecret,
  rotateSecretKey,
  pauseSubscription,
  resumeSubscription,
  listDead,
  redriveDead,
  discardDead,
  streamSubscription,
  fetchBatch,
  confirmBatch,
  releaseBatch,
  extendBatch,
  startReplay,
  listReplays,
  listAllReplays,
  readReplay,
  pauseReplay,
  resumeReplay,
  cancelReplay,
  listState,
  readState,
  readStateEntry,
  startRebuild,
  readRebuild,
  cancelRebuild,
  finishRebuild,
  redriveQuarantined,
  readAsyncApi,
  explainEvent,
  readAudit,
  readAdminLog,
  createTicket,
  readMetrics,
  livez,
  readyz,
  healthz: livez,
  readOpenApi,
  readError,
}
