import { decider, openPipeline } from 'millrace'
import { memory } from 'millrace/stores/memory'
import { z } from 'zod'

// Checked by `tsc` alone: each line after an expected error must not compile, or the check of types fails.

type AccountEvent =
  | { readonly type: 'account.opened'; readonly data: { readonly owner: string } }
  | { readonly type: 'account.credited'; readonly data: { readonly amount: number } }
type Command = { readonly do: 'open'; readonly owner: string } | { readonly do: 'credit'; readonly amount: number }
interface Account {
  readonly balance: number
}

const account = decider<Account, Command, AccountEvent>({
  name: 'bank',
  initial: { balance: 0 },
  decide(command, { balance }) {
    if (command.do === 'open') return [{ type: 'account.opened', data: { owner: command.owner } }]
    const amount: number = command.amount + balance
    return [{ type: 'account.credited', data: { amount } }]
  },
  evolve(state, event) {
    if (event.type === 'account.opened') {
      const owner: string = event.data.owner
      const time: string = event.time
      // @ts-expect-error a field that events of this type do not have
      const amount = event.data.amount
      return { ...state, owner, time, amount }
    }
    return { balance: state.balance + event.data.amount }
  },
})

export const wrong = decider<Account, Command, AccountEvent>({
  name: 'bank',
  initial: { balance: 0 },
  // @ts-expect-error a type that no event has
  decide: () => [{ type: 'account.opend', data: { owner: 'Ada' } }],
  // @ts-expect-error what is no state
  evolve: (state, { type }) => ({ amount: state.balance, type }),
})

export const wrongData = decider<Account, Command, AccountEvent>({
  name: 'bank',
  initial: { balance: 0 },
  // @ts-expect-error data of another type
  decide: () => [{ type: 'account.opened', data: { amount: 1 } }],
  evolve: (state) => state,
})

const events = {
  'account.opened': z.object({ owner: z.string() }),
  'account.credited': z.object({ amount: z.number() }),
}

export async function handled(): Promise<void> {
  await using pipeline = await openPipeline({ store: memory(), streams: ['account.*'] })
  const { state, version, events: made } = await account.handle(pipeline, 'account-7', { do: 'open', owner: 'Ada' })
  const sum: number = state.balance + version
  for (const event of made) if (event.type === 'account.credited') void (event.data.amount + sum)
  const before: { readonly state: Account } = await account.load(pipeline, 'account-7', { until: { version: 3 } })
  void before
  // @ts-expect-error a command that there is not
  await account.handle(pipeline, 'account-7', { do: 'close' })
  // @ts-expect-error an append says what it expects
  await pipeline.append('account-7', [{ source: 'bank', id: '1', type: 'account.opened' }])
  // @ts-expect-error the subject is the stream
  await pipeline.append('a', [{ source: 'bank', id: '1', type: 'account.opened', subject: 'a' }], { expect: 0 })
}

export async function declared(): Promise<void> {
  await using pipeline = await openPipeline({ store: memory(), events, streams: ['account.*'] })
  await account.handle(pipeline, 'account-7', { do: 'open', owner: 'Ada' })
  const opened = { source: 'bank', id: '1', type: 'account.opened', data: { owner: 'Ada' } } as const
  await pipeline.append('account-7', [opened], { expect: 'any' })
  // @ts-expect-error data of another type
  await pipeline.append('account-7', [{ ...opened, data: { amount: 1 } }], { expect: 'any' })
  // @ts-expect-error a pattern that no declared type fits
  await openPipeline({ store: memory(), events, streams: ['acount.*'] })
}
