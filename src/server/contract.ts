import type { ErrorCode } from '../core/errors.ts'
import type { Schema } from '../plugin/schema.ts'
import type { Scope } from './auth.ts'
import * as shapes from './schemas.ts'

/** One route: what it takes, what it answers and who may call it. Routing, the checks and OpenAPI all read this. */
export interface Route {
  readonly method: 'GET' | 'POST'
  /** `{name}` stands for one segment. */
  readonly path: string
  readonly summary: string
  /** Undefined: anybody, also without a token. */
  readonly scope: Scope | undefined
  readonly query?: Schema | undefined
  /** A JSON body; read and checked before the route runs. */
  readonly body?: Schema | undefined
  /** Content types of a body that the route reads by itself. */
  readonly consumes?: readonly string[] | undefined
  /** By status; a text is the media type of an answer that is not JSON. */
  readonly answers: Readonly<Record<number, Schema | string>>
  readonly errors: readonly ErrorCode[]
}

const storeErrors = ['store-full', 'store-readonly', 'store-closed', 'store-indeterminate'] as const

/** Every route of the HTTP API, by name. */
export const routes = {
  publishEvents: {
    method: 'POST',
    path: '/v1/events',
    summary: 'Store one event, a batch or a stream; answers after the commit',
    scope: 'ingest',
    consumes: [
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
      'application/json',
      'application/x-ndjson',
    ],
    answers: {
      200: shapes.publishedBatch,
      201: shapes.publishedEvent,
      202: shapes.publishedEvent,
      409: shapes.publishedEvent,
      422: shapes.publishedBatch,
    },
    errors: [
      'event-invalid',
      'body-malformed',
      'body-too-large',
      'content-type-unsupported',
      'events-all-invalid',
      'event-conflict',
      'source-forbidden',
      'type-reserved',
      'overloaded',
      'rate-limited',
      'stopping',
      'request-timeout',
      ...storeErrors,
    ],
  },
  searchEvents: {
    method: 'GET',
    path: '/v1/events',
    summary: 'Search the log in order of sequence; a page may be empty and still have next',
    scope: 'read',
    query: shapes.eventSearch,
    answers: { 200: shapes.eventPage },
    errors: ['bad-request'],
  },
  readEvent: {
    method: 'GET',
    path: '/v1/events/{sequence}',
    summary: 'One event',
    scope: 'read',
    answers: { 200: shapes.event },
    errors: ['bad-request', 'not-found'],
  },
  readDeliveries: {
    method: 'GET',
    path: '/v1/events/{sequence}/deliveries',
    summary: 'What became of an event in each subscription, with its attempts',
    scope: 'read',
    query: shapes.namePage,
    answers: { 200: shapes.deliveryPage },
    errors: ['bad-request', 'not-found'],
  },
  listSubscriptions: {
    method: 'GET',
    path: '/v1/subscriptions',
    summary: 'Every subscription in order of name: state, lag and counters',
    scope: 'read',
    query: shapes.namePage,
    answers: { 200: shapes.subscriptionPage },
    errors: ['bad-request'],
  },
  readSubscription: {
    method: 'GET',
    path: '/v1/subscriptions/{name}',
    summary: 'One subscription',
    scope: 'read',
    answers: { 200: shapes.subscription },
    errors: ['subscription-unknown'],
  },
  pauseSubscription: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/pause',
    summary: 'Stop delivering without losing the position',
    scope: 'admin',
    answers: { 200: shapes.subscription },
    errors: ['subscription-unknown', 'state-conflict'],
  },
  resumeSubscription: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/resume',
    summary: 'Deliver again, also after halted or disabled',
    scope: 'admin',
    answers: { 200: shapes.subscription },
    errors: ['subscription-unknown', 'state-conflict'],
  },
  listDead: {
    method: 'GET',
    path: '/v1/subscriptions/{name}/dead',
    summary: 'Dead letters in order of sequence',
    scope: 'read',
    query: shapes.deadSearch,
    answers: { 200: shapes.deadPage },
    errors: ['bad-request', 'subscription-unknown'],
  },
  redriveDead: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/dead/redrive',
    summary: 'Put dead letters back to be delivered again',
    scope: 'admin',
    body: shapes.selection,
    answers: { 200: shapes.redriven },
    errors: ['bad-request', 'body-malformed', 'content-type-unsupported', 'subscription-unknown', 'state-conflict'],
  },
  discardDead: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/dead/discard',
    summary: 'Settle dead letters as discarded',
    scope: 'admin',
    body: shapes.selection,
    answers: { 200: shapes.discarded },
    errors: ['bad-request', 'body-malformed', 'content-type-unsupported', 'subscription-unknown', 'state-conflict'],
  },
  explainEvent: {
    method: 'GET',
    path: '/v1/explain/{sequence}',
    summary: 'Where an event is and why',
    scope: 'read',
    query: shapes.explainSearch,
    answers: { 200: shapes.explanation },
    errors: ['bad-request', 'not-found', 'subscription-unknown'],
  },
  readAudit: {
    method: 'GET',
    path: '/v1/audit',
    summary: 'Whether the books of every subscription balance',
    scope: 'read',
    answers: { 200: shapes.audit },
    errors: [],
  },
  readMetrics: {
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    scope: 'read',
    answers: { 200: 'text/plain' },
    errors: [],
  },
  livez: {
    method: 'GET',
    path: '/livez',
    summary: 'The process answers',
    scope: undefined,
    answers: { 200: shapes.health },
    errors: [],
  },
  readyz: {
    method: 'GET',
    path: '/readyz',
    summary: 'Events can be taken and are delivered; problems are shown to those who may read',
    scope: undefined,
    answers: { 200: shapes.health, 503: shapes.health },
    errors: [],
  },
  healthz: {
    method: 'GET',
    path: '/healthz',
    summary: 'The same as /livez',
    scope: undefined,
    answers: { 200: shapes.health },
    errors: [],
  },
  readOpenApi: {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This API as an OpenAPI 3.1 document',
    scope: undefined,
    answers: { 200: shapes.openObject },
    errors: [],
  },
  readError: {
    method: 'GET',
    path: '/errors/{code}',
    summary: 'What an error code means: where the type of a problem leads',
    scope: undefined,
    answers: { 200: shapes.openObject },
    errors: ['not-found'],
  },
} as const satisfies Record<string, Route>

export type RouteName = keyof typeof routes
