/** What the ledger of a rebuild has behind its subscription's name. No subscription's name has a slash. */
const rebuild = '/rebuild'

/** The name of the ledger on which what a subscription keeps is built again, beside its own. */
export function rebuildLedger(subscription: string): string {
  return `${subscription}${rebuild}`
}

/** Whose rebuild a ledger is of; undefined for any other. */
export function rebuiltBy(ledger: string): string | undefined {
  return ledger.endsWith(rebuild) ? ledger.slice(0, -rebuild.length) : undefined
}

/** False for a ledger beside that of a subscription: of a replay, or of a rebuild. */
export function isSubscriptionLedger(ledger: string): boolean {
  return !ledger.includes('/')
}
