import { decider } from 'millrace'

// The rules of an account. Both functions are pure: they can be tested without any pipeline.
type AccountEvent =
  | { readonly type: 'account.opened'; readonly data: { readonly owner: string } }
  | { readonly type: 'account.credited'; readonly data: { readonly amount: number } }
  | { readonly type: 'account.debited'; readonly data: { readonly amount: number } }
type Command =
  | { readonly do: 'open'; readonly owner: string }
  | { readonly do: 'deposit'; readonly amount: number }
  | { readonly do: 'withdraw'; readonly amount: number }
interface Account {
  readonly isOpen: boolean
  readonly balance: number
}

/** Why the bank does not do it. */
export class Refused extends Error {}

export const account = decider<Account, Command, AccountEvent>({
  name: 'bank',
  initial: { isOpen: false, balance: 0 },
  decide(command, { isOpen, balance }) {
    if (command.do === 'open') {
      if (isOpen) throw new Refused('the account is open already')
      return [{ type: 'account.opened', data: { owner: command.owner } }]
    }
    if (!isOpen) throw new Refused('there is no such account')
    const { amount } = command
    if (command.do === 'deposit') return [{ type: 'account.credited', data: { amount } }]
    if (amount > balance) throw new Refused('there is not enough money')
    return [{ type: 'account.debited', data: { amount } }]
  },
  evolve(state, event) {
    switch (event.type) {
      case 'account.opened':
        return { ...state, isOpen: true }
      case 'account.credited':
        return { ...state, balance: state.balance + event.data.amount }
      case 'account.debited':
        return { ...state, balance: state.balance - event.data.amount }
    }
  },
  // After a hundred events the balance is kept, so that an old account is not read from its first day.
  snapshot: { every: 100, version: 1 },
})
