import { type Route, storeErrors } from './route.ts'
import * as shapes from './state-shapes.ts'

const readErrors = ['subscription-unknown', 'state-conflict'] as const
const controlErrors = ['subscription-unknown', 'state-conflict', 'stopping', ...storeErrors] as const

/** What stages keep, and how it is built again. */
export const stateRoutes = {
  listState: {
    method: 'GET',
    path: '/v1/subscriptions/{name}/state',
    summary: 'The stages of a subscription that keep something',
    scope: 'read',
    answers: { 200: shapes.keepingStages },
    errors: [...readErrors],
  },
  readState: {
    method: 'GET',
    path: '/v1/subscriptions/{name}/state/{stage}',
    summary: 'What a stage keeps, as it is stored, in order of key',
    scope: 'read',
    query: shapes.stateSearch,
    answers: { 200: shapes.statePage },
    errors: ['bad-request', 'not-found', ...readErrors],
  },
  readStateEntry: {
    method: 'GET',
    path: '/v1/subscriptions/{name}/state/{stage}/{key}',
    summary: 'What a stage keeps under a key, which is percent-encoded and may be empty',
    scope: 'read',
    isLastOptional: true,
    answers: { 200: shapes.stateEntry },
    errors: ['not-found', ...readErrors],
  },
  startRebuild: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/rebuild',
    summary: 'Build what a projection keeps again from the log, beside what is served; it takes its place by itself',
    scope: 'admin',
    body: shapes.rebuildCall,
    isBodyOptional: true,
    answers: { 202: shapes.rebuild },
    errors: ['bad-request', 'body-malformed', 'body-too-large', 'content-type-unsupported', ...controlErrors],
  },
  readRebuild: {
    method: 'GET',
    path: '/v1/subscriptions/{name}/rebuild',
    summary: 'The rebuild under way, or the last one since the start',
    scope: 'read',
    answers: { 200: shapes.rebuild },
    errors: ['not-found', ...readErrors],
  },
  cancelRebuild: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/rebuild/cancel',
    summary: 'End a rebuild and forget what it has built; what is served stays',
    scope: 'admin',
    answers: { 200: shapes.rebuild },
    errors: [...controlErrors],
  },
  finishRebuild: {
    method: 'POST',
    path: '/v1/subscriptions/{name}/rebuild/finish',
    summary: 'Let a rebuild that is stuck take its place as it is',
    scope: 'admin',
    answers: { 200: shapes.rebuild },
    errors: [...controlErrors],
  },
} as const satisfies Record<string, Route>
