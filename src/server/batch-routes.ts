import * as batchShapes from './batch-shapes.ts'
import { type Route, storeErrors } from './route.ts'

const bodyErrors = ['bad-request', 'body-malformed', 'body-too-large', 'content-type-unsupported'] as const
const batchErrors = ['subscription-unknown', 'state-conflict', 'batch-unknown', 'receipt-stale'] as const

/** What clients of a pull sink call. */
export const batchRoutes = {
  fetchBatch: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/batches',
    summary:
      'The next batch of a subscription whose sink is pull, leased to this client; 204 when nothing came in time',
    scope: 'read',
    body: batchShapes.fetchCall,
    isBodyOptional: true,
    answers: { 201: batchShapes.fetchedBatch, 204: undefined },
    errors: [...bodyErrors, 'subscription-unknown', 'state-conflict', ...storeErrors],
  },
  confirmBatch: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/batches/{batch}/confirm',
    summary:
      'Settle a batch, or some of it, as delivered; answers after that is stored, and the same again changes nothing',
    scope: 'read',
    body: batchShapes.confirmCall,
    answers: { 200: batchShapes.confirmed },
    errors: [...bodyErrors, ...batchErrors, ...storeErrors],
  },
  releaseBatch: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/batches/{batch}/release',
    summary: 'Give a batch back, or some of it, to be offered again at once or after a delay',
    scope: 'read',
    body: batchShapes.releaseCall,
    answers: { 200: batchShapes.released },
    errors: [...bodyErrors, ...batchErrors, ...storeErrors],
  },
  extendBatch: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/batches/{batch}/extend',
    summary: 'Move the deadline of a batch',
    scope: 'read',
    body: batchShapes.extendCall,
    answers: { 200: batchShapes.extended },
    errors: [...bodyErrors, ...batchErrors, ...storeErrors],
  },
} as const satisfies Record<string, Route>
