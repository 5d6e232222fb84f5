import { type EgressRules, publicOnly } from '../core/egress.ts'
import { type HttpClient, openHttpClient } from './http-client.ts'

interface Shared {
  readonly client: HttpClient
  users: number
}

/** By the rules of a pipeline, which are one object: pipelines do not share. */
const clients = new WeakMap<EgressRules, Shared>()

/** One client for thousands of endpoints of a pipeline; it is closed when the last of them closes. */
export function openSharedClient(egress: EgressRules = publicOnly): HttpClient {
  let shared = clients.get(egress)
  if (shared === undefined) {
    shared = { client: openHttpClient({ egress }), users: 0 }
    clients.set(egress, shared)
  }
  shared.users += 1
  const { client } = shared
  const mine = shared
  let isClosed = false
  return {
    post: (request, conclude) => client.post(request, conclude),
    request: (request) => client.request(request),
    open: (request) => client.open(request),
    async close() {
      if (isClosed) return
      isClosed = true
      mine.users -= 1
      if (mine.users > 0) return
      clients.delete(egress)
      await client.close()
    },
  }
}
