/** The word between a subscription's name and a replay's id; no subscription's name has a slash. */
const between = '/replay/'

/** The name of the ledger of one replay: a second ledger over the same log, beside that of its subscription. */
export function replayLedger(subscription: string, id: string): string {
  return `${subscription}${between}${id}`
}

/** What a ledger's name says: whose it is, and of which replay. */
export function readLedgerName(name: string): { readonly subscription: string; readonly replay?: string | undefined } {
  const at = name.indexOf(between)
  return at < 0 ? { subscription: name } : { subscription: name.slice(0, at), replay: name.slice(at + between.length) }
}

/** True for the ledger of a replay. */
export function isReplayLedger(name: string): boolean {
  return name.includes(between)
}
