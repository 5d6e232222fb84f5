import type { Handler } from './context.ts'
import type { RouteName } from './contract.ts'
import { explainEvent, readDeliveries, readEvent, searchEvents } from './routes/events.ts'
import { publishEvents } from './routes/publish.ts'
import { livez, readAudit, readError, readMetrics, readOpenApi, readyz } from './routes/service.ts'
import {
  discardDead,
  listDead,
  listSubscriptions,
  pauseSubscription,
  readSubscription,
  redriveDead,
  resumeSubscription,
} from './routes/subscriptions.ts'

/** What answers each route of the contract. */
export const handlers: Readonly<Record<RouteName, Handler>> = {
  publishEvents,
  searchEvents,
  readEvent,
  readDeliveries,
  listSubscriptions,
  readSubscription,
  pauseSubscription,
  resumeSubscription,
  listDead,
  redriveDead,
  discardDead,
  explainEvent,
  readAudit,
  readMetrics,
  livez,
  readyz,
  healthz: livez,
  readOpenApi,
  readError,
}
