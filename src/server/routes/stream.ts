import type { SchemaOutput } from '../../plugin/schema.ts'
import { isAnonymous } from '../auth.ts'
import type { Call } from '../context.ts'
import { type Answer, headerOf } from '../http.ts'
import type { streamSearch } from '../schemas.ts'
import { lookOf, requireContent } from '../shown.ts'

// Proxies that know the header pass every event on at once.
const headers = { 'X-Accel-Buffering': 'no' }

/** `GET /v1/subscriptions/{name}/stream`: a view of the log as server-sent events, from where the client stands. */
export function streamSubscription(call: Call): Answer {
  const { context, request, caller, params, query } = call
  requireContent(caller)
  const view = context.pipeline.view(params[0] as string)
  const answer = { status: 200, type: 'text/event-stream; charset=utf-8', headers }
  if (request.method === 'HEAD') return answer
  const { after, type } = query as SchemaOutput<typeof streamSearch>
  const live = view.enter({
    // A browser that comes back to the same address sends the newer position in the header.
    after: headerOf(request, 'last-event-id') || after,
    types: type,
    look: lookOf(call),
    token: isAnonymous(caller) ? undefined : caller.name,
    // A token that ends or is taken back ends its streams too (SEC-46).
    isAllowed: () => context.auth.isCurrent(caller),
  })
  return { ...answer, live }
}
