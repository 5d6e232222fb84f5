/** Base64url characters of the digest that are kept: 192 bits. */
const kept = 32

/**
 * Who a delivery is to its receiver: the same over all attempts and redrives of an event for a subscription, another for
 * every other event and subscription. A replay adds its own id, so that receivers that remember ids take it. Letters, digits, `_` and `-`: never a dot, which separates parts in what Standard
 * Webhooks sign. `digest` is SHA-256 as base64url (`Platform.digest`).
 */
export function messageId(
  digest: (text: string) => string,
  subscription: string,
  source: string,
  id: string,
  replay?: string,
): string {
  const own = `msg_${digest(JSON.stringify([subscription, source, id])).slice(0, kept)}`
  return replay === undefined ? own : `${own}_${replay}`
}
