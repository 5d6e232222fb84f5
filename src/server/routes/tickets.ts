import type { Call } from '../context.ts'
import { type Answer, json } from '../http.ts'

/** `POST /v1/tickets`: a ticket for one stream, as the caller that asks (SEC-50). */
export function createTicket({ caller, context }: Call): Answer {
  const { ticket, expiresMs } = context.tickets.issue(caller)
  return json({ ticket, expires: new Date(expiresMs).toISOString() }, 201)
}
