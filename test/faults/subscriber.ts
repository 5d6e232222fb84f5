// A process to be killed: makes, changes and ends subscriptions as fast as it can, and says each when it is done.
// Arguments: the folder, where to begin.
import { createCatalogue, openPipeline } from 'millrace'
import { pull } from 'millrace/sinks/pull'
import { webhook } from 'millrace/sinks/webhook'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, first] = process.argv.slice(2) as [string, string]

const pipeline = await openPipeline(
  { store: sqlite({ path: `${folder}/events.db` }) },
  { directory: folder, catalogue: createCatalogue([webhook, pull]) },
)
process.stdout.write('open\n')
for (let n = Number(first); ; n++) {
  const name = `s${n}`
  process.stdout.write(`begin ${name}\n`)
  const { secret } = await pipeline.subscribe(name, {
    match: [`a${n}`],
    sink: webhook({ url: 'https://example.com/' }),
  })
  process.stdout.write(`made ${name} ${secret!.slice(0, 10)}\n`)
  await pipeline.subscribe(name, { match: [`b${n}`], sink: webhook({ url: 'https://example.com/' }) })
  process.stdout.write(`changed ${name}\n`)
  if (n % 2 === 0) continue
  process.stdout.write(`ending ${name}\n`)
  await pipeline.unsubscribe(name)
  process.stdout.write(`ended ${name}\n`)
}
