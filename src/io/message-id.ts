import { hash } from 'node:crypto'

/**
 * The `webhook-id` of an event for a subscription: the same over all attempts and redrives, different for every other
 * (subscription, source, id). It holds no `.`, because the signed text of a webhook is separated by dots.
 */
export function messageId(subscription: string, source: string, id: string): string {
  // JSON keeps the three apart whatever they contain; 32 characters of base64url are 192 bits.
  return `msg_${hash('sha256', JSON.stringify([subscription, source, id]), 'base64url').slice(0, 32)}`
}
