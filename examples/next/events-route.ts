import type { Pipeline } from 'millrace'
import { createHandler } from 'millrace/server'

type Handler = (request: Request) => Promise<Response>

/** What a route module exports: the API of a pipeline below `/events-api`. The pipeline is opened by the first request. */
export function eventsRoute(open: () => Promise<Pipeline>): Readonly<Record<Method, Handler>> {
  let handler: Promise<Handler> | undefined
  const answer: Handler = async (request) => {
    handler ??= open().then((pipeline) => createHandler(pipeline, { basePath: '/events-api' }))
    return (await handler)(request)
  }
  return { GET: answer, HEAD: answer, POST: answer, PUT: answer, DELETE: answer, OPTIONS: answer }
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS'
