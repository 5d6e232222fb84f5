import * as replayShapes from './replay-shapes.ts'
import { type Route, storeErrors } from './route.ts'

const bodyErrors = ['bad-request', 'body-malformed', 'body-too-large', 'content-type-unsupported'] as const
const controlErrors = ['not-found', 'state-conflict', ...storeErrors] as const

/** Deliveries made again, as jobs. */
export const replayRoutes = {
  startReplay: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/replay',
    summary:
      'Deliver a range of the log again, as a job beside live traffic (201); with dryRun only count what it would deliver (200)',
    scope: 'admin',
    body: replayShapes.replayCall,
    answers: { 200: replayShapes.replayDryRun, 201: replayShapes.replay },
    errors: [...bodyErrors, 'subscription-unknown', 'state-conflict', 'overloaded', 'stopping', ...storeErrors],
  },
  listReplays: {
    method: 'GET',
    path: '/v1/subscriptions/{name}/replays',
    summary: 'Replays of a subscription, the newest first; those that ended are remembered for 30 days',
    scope: 'read',
    query: replayShapes.replayPage,
    answers: { 200: replayShapes.replays },
    errors: ['bad-request', 'subscription-unknown', 'state-conflict'],
  },
  listAllReplays: {
    method: 'GET',
    path: '/v1/replays',
    summary: 'Replays of all subscriptions, the newest first',
    scope: 'read',
    query: replayShapes.replayPage,
    answers: { 200: replayShapes.replays },
    errors: ['bad-request'],
  },
  readReplay: {
    method: 'GET',
    path: '/v1/subscriptions/{name}/replays/{id}',
    summary: 'One replay: how far it is',
    scope: 'read',
    answers: { 200: replayShapes.replay },
    errors: ['not-found'],
  },
  pauseReplay: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/replays/{id}/pause',
    summary: 'Stop a replay without losing its place',
    scope: 'admin',
    answers: { 200: replayShapes.replay },
    errors: [...controlErrors],
  },
  resumeReplay: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/replays/{id}/resume',
    summary: 'Let a replay go on, also one that failed',
    scope: 'admin',
    answers: { 200: replayShapes.replay },
    errors: [...controlErrors],
  },
  cancelReplay: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/replays/{id}/cancel',
    summary: 'End a replay: what it has not delivered is not delivered, and its dead letters are forgotten',
    scope: 'admin',
    answers: { 200: replayShapes.replay },
    errors: [...controlErrors],
  },
} as const satisfies Record<string, Route>
