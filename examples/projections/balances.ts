import { type Event, projection } from 'millrace'

type AccountEvent =
  | (Event<{ readonly owner: string }> & { readonly type: 'account.opened' })
  | (Event<{ readonly amount: number }> & { readonly type: 'account.credited' | 'account.debited' })

export interface Balance {
  readonly owner: string
  readonly balance: number
  /** Since version 2: the largest amount that ever came or went at once. */
  readonly largest?: number
}

/** What a bank's counter asks for all day: the balance of each account. */
export const balancesOf = (version: number) =>
  projection('balances', {
    match: ['account.*'],
    initial: { owner: '', balance: 0 } as Balance,
    fold(before, event: AccountEvent) {
      if (event.type === 'account.opened') return { ...before, owner: event.data.owner }
      const { amount } = event.data
      const balance = before.balance + (event.type === 'account.credited' ? amount : -amount)
      return version === 1
        ? { ...before, balance }
        : { ...before, balance, largest: Math.max(before.largest ?? 0, amount) }
    },
    version,
  })
