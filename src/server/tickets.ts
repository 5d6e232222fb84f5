import { createHash, randomBytes } from 'node:crypto'
import { AppError } from '../core/errors.ts'
import type { Caller } from './auth.ts'

/** Long enough to open a stream with, and no longer (SEC-50). */
const lifeMs = 30_000
const maxTickets = 10_000

/** One-time tickets: what a browser's `EventSource`, which can send no header, shows in the place of a token. */
export interface Tickets {
  issue(caller: Caller): { readonly ticket: string; readonly expiresMs: number }
  /** Who it was issued to; throws `unauthorized` when it is unknown, used or too old. */
  redeem(ticket: string): Caller
}

/** Makes the table of tickets; in memory, because none outlives the process. */
export function createTickets(nowMs: () => number = Date.now): Tickets {
  // By hash, so that finding one tells nothing about the others.
  const tickets = new Map<string, { readonly caller: Caller; readonly expiresMs: number }>()
  return {
    issue(caller) {
      const now = nowMs()
      // All live equally long, so the oldest come first.
      for (const [key, { expiresMs }] of tickets) {
        if (expiresMs > now) break
        tickets.delete(key)
      }
      if (tickets.size >= maxTickets)
        throw new AppError('overloaded', 'too many tickets are unused: try again in a while')
      const ticket = `mrt_${randomBytes(32).toString('base64url')}`
      const expiresMs = now + lifeMs
      tickets.set(hashOf(ticket), { caller, expiresMs })
      return { ticket, expiresMs }
    },
    redeem(ticket) {
      const key = hashOf(ticket)
      const found = tickets.get(key)
      tickets.delete(key)
      if (found !== undefined && nowMs() < found.expiresMs) return found.caller
      throw new AppError('unauthorized', 'the ticket is unknown, used or too old: ask for a new one at /v1/tickets')
    },
  }
}

function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64url')
}
