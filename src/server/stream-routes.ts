import { type Route, storeErrors } from './route.ts'
import * as streamShapes from './stream-shapes.ts'

/** Streams: the events of one entity, with their versions. */
export const streamRoutes = {
  readStream: {
    method: 'GET',
    path: '/v1/streams/{stream}',
    summary:
      'Events of a stream, oldest first, in the newest version of their type. ETag is the version, to be sent as If-Match of an append',
    scope: 'read',
    query: streamShapes.streamPageQuery,
    answers: { 200: streamShapes.streamPage },
    errors: ['bad-request', 'events-removed'],
  },
  appendToStream: {
    method: 'POST',
    path: '/v1/streams/{stream}',
    summary:
      'Append one event or a batch, whole or not at all (201). If-Match: "3" is the version it must be at, If-None-Match: * that it must not exist. The same events again are 200',
    scope: 'ingest',
    consumes: ['application/cloudevents+json', 'application/cloudevents-batch+json', 'application/json'],
    answers: { 200: streamShapes.appended, 201: streamShapes.appended },
    errors: [
      'bad-request',
      'event-invalid',
      'body-malformed',
      'body-too-large',
      'content-type-unsupported',
      'schema-mismatch',
      'event-conflict',
      'version-conflict',
      'source-forbidden',
      'type-reserved',
      'overloaded',
      'rate-limited',
      'stopping',
      'request-timeout',
      ...storeErrors,
    ],
  },
} as const satisfies Record<string, Route>
