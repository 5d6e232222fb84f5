// A bank with one account: `node bank.ts` in this folder.
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { account, Refused } from './account.ts'

await using pipeline = await openPipeline({
  store: sqlite({ path: '.millrace/events.db' }),
  streams: ['account.*'],
})
const name = 'account-1'

/** Handles a command and tells what came of it. Its id makes it safe to send again. */
async function handle(id: string, command: Parameters<typeof account.handle>[2]): Promise<string> {
  try {
    const { state, version } = await account.handle(pipeline, name, command, { id })
    return `version ${version}, balance ${state.balance}`
  } catch (error) {
    if (error instanceof Refused) return `refused: ${error.message}`
    throw error
  }
}

console.log(`open: ${await handle('c1', { do: 'open', owner: 'Ada' })}`)
console.log(`deposit 100: ${await handle('c2', { do: 'deposit', amount: 100 })}`)
console.log(`withdraw 500: ${await handle('c3', { do: 'withdraw', amount: 500 })}`)

// Both see a balance of 100. One is overtaken, decides again on what is left, and is refused.
const both = ['c4', 'c5'].map((id) => handle(id, { do: 'withdraw', amount: 70 }))
for (const answer of (await Promise.all(both)).sort().reverse()) console.log(`withdraw 70: ${answer}`)

const { state } = await account.load(pipeline, name, { until: { version: 2 } })
console.log(`at version 2 the balance was ${state.balance}`)
for await (const { version, event } of pipeline.readStream(name)) console.log(`${version} ${event.type}`)
