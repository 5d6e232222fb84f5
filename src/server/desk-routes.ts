import * as deskShapes from './desk-shapes.ts'
import { type Route, storeErrors } from './route.ts'

const bodyErrors = ['bad-request', 'body-malformed', 'body-too-large', 'content-type-unsupported'] as const
const changeErrors = [
  'state-conflict',
  'precondition-failed',
  'secret-key-missing',
  'stopping',
  ...storeErrors,
] as const

/** Subscriptions that are made, changed and ended while the pipeline runs. */
export const deskRoutes = {
  putSubscription: {
    method: 'PUT',
    path: '/v1/subscriptions/{name}',
    summary:
      'Make a subscription (201), or change one that was made so (200): then it goes on from its place. If-Match takes its ETag, If-None-Match: * only makes',
    scope: 'admin',
    body: deskShapes.subscriptionBody,
    answers: { 200: deskShapes.subscribed, 201: deskShapes.subscribed },
    errors: [...bodyErrors, 'subscription-invalid', ...changeErrors],
  },
  dropSubscription: {
    method: 'DELETE',
    path: '/v1/subscriptions/{name}',
    summary:
      'End a subscription that was made here, or forget a retired one: its place in the log, its dead letters, its history',
    scope: 'admin',
    answers: { 204: undefined },
    errors: ['subscription-unknown', ...changeErrors],
  },
  testSubscription: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/test',
    summary:
      'Send an event of type millrace.test the way deliveries go, signed, and answer what came of it; it is not stored and not counted',
    scope: 'admin',
    answers: { 200: deskShapes.testDelivery },
    errors: ['subscription-unknown', 'state-conflict', 'stopping'],
  },
  rotateSecret: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/secret/rotate',
    summary: 'Sign with a new secret; the old one signs beside it until the overlap ends',
    scope: 'admin',
    body: deskShapes.rotateCall,
    isBodyOptional: true,
    answers: { 200: deskShapes.rotated },
    errors: [...bodyErrors, 'subscription-unknown', 'subscription-invalid', ...changeErrors],
  },
  rotateSecretKey: {
    method: 'POST',
    path: '/v1/secrets/rotate-key',
    summary: 'Encrypt every stored secret with a new key',
    scope: 'admin',
    answers: { 200: deskShapes.rotatedKey },
    errors: [...changeErrors],
  },
} as const satisfies Record<string, Route>
