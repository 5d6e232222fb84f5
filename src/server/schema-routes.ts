import { type Route, storeErrors } from './route.ts'
import { openObject, publishedEvent } from './schemas.ts'

/** What the server does with the schemas of event types. */
export const schemaRoutes = {
  redriveQuarantined: {
    method: 'POST',
    path: '/v1/quarantined/{sequence}/redrive',
    summary: 'Check the original of a millrace.quarantined event again and store it when it fits now',
    scope: 'admin',
    answers: { 200: publishedEvent, 201: publishedEvent, 409: publishedEvent },
    errors: [
      'bad-request',
      'not-found',
      'state-conflict',
      'schema-mismatch',
      'event-conflict',
      'overloaded',
      'stopping',
      ...storeErrors,
    ],
  },
  readAsyncApi: {
    method: 'GET',
    path: '/asyncapi.json',
    summary: 'The events of this pipeline as an AsyncAPI 3 document',
    scope: 'read',
    answers: { 200: openObject },
    errors: [],
  },
} as const satisfies Record<string, Route>
