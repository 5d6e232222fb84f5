// The counter of a bank: `node counter.ts` in this folder, and then `node counter.ts 2`.
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { balancesOf } from './balances.ts'

const version = Number(process.argv[2] ?? '1')
const balances = balancesOf(version)
await using pipeline = await openPipeline({
  store: sqlite({ path: '.millrace/events.db' }),
  subscriptions: { balances },
})
const state = balances.of(pipeline)

if (pipeline.rebuildStatus('balances') !== undefined) {
  console.log(`while version ${version} is built: ${JSON.stringify(await state.get('account-1'))}`)
  const rebuilt = await pipeline.rebuilt('balances')
  console.log(`rebuilt from ${rebuilt?.delivered} events: ${rebuilt?.state}`)
}

const event = (id: string, subject: string, type: string, data: object) => ({
  ...{ source: 'bank', id, subject },
  ...{ type: `account.${type}`, data },
})
const results = await pipeline.publish([
  event('1', 'account-1', 'opened', { owner: 'Ada' }),
  event('2', 'account-1', 'credited', { amount: 100 }),
  event('3', 'account-2', 'opened', { owner: 'Grace' }),
  event('4', 'account-2', 'credited', { amount: 20 }),
  event('5', 'account-1', 'debited', { amount: 70 }),
])
await state.settled(results.at(-1)!.sequence!)

for await (const { key, value } of state.entries()) console.log(key, JSON.stringify(value))
console.log('after event 2:', JSON.stringify(await state.at({ sequence: 2 }, 'account-1')))
