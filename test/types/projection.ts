import { type Event, type EventOf, openPipeline, projection } from 'millrace'
import { memory } from 'millrace/stores/memory'
import { z } from 'zod'

// Checked by `tsc` alone: each line after an expected error must not compile, or the check of types fails.

const events = { 'account.opened': z.object({ owner: z.string() }), 'account.paid': z.object({ amount: z.number() }) }
type Account = EventOf<typeof events, 'account.*'>

const balances = projection('balances', {
  match: ['account.*'],
  initial: { balance: 0 },
  fold: ({ balance }, event: Account) =>
    event.type === 'account.paid' ? { balance: balance + event.data.amount } : undefined,
})

export async function typed(): Promise<void> {
  await using pipeline = await openPipeline({ store: memory(), events, subscriptions: { balances } })
  const state = await balances.of(pipeline).get('a')
  const balance: number | undefined = state?.balance
  // @ts-expect-error a member that the state does not have
  state?.balanse
  const untyped = await pipeline.state('balances').get('a')
  const named = await pipeline.state<{ balance: number }>('balances', 'projection').get('a')
  const all: ReadonlyMap<string, { balance: number }> = await balances.of(pipeline).allAt({ sequence: 5 })
  void [balance, untyped, named, all]
}

export async function plain(): Promise<void> {
  const counts = projection('counts', { match: ['*'], initial: 0, fold: (count) => count + 1 })
  await using pipeline = await openPipeline({ store: memory(), subscriptions: { counts } })
  const count: number | undefined = await counts.of(pipeline).get('a')
  void count
}

export function wrong(): void {
  projection('balances', {
    match: ['account.*'],
    initial: { balance: 0 },
    // @ts-expect-error another state than it began with
    fold: (_, { data }: Event<{ amount: number }>) => ({ sum: data.amount }),
  })
  projection('balances', {
    match: ['account.*'],
    initial: { balance: 0 },
    // @ts-expect-error a fold waits for nothing
    fold: async (state) => state,
  })
  projection('balances', {
    match: ['account.*'],
    initial: { balance: 0 },
    fold: (state) => {
      // @ts-expect-error what it is given is frozen
      state.balance = 1
      return state
    },
  })
}

export async function wrongPattern(): Promise<void> {
  const misspelt = projection('misspelt', { match: ['acount.*'], initial: 0, fold: (count) => count + 1 })
  // @ts-expect-error a pattern that no declared type fits
  await openPipeline({ store: memory(), events, subscriptions: { misspelt } })
}
