// A process that kills itself at one point on the way of an event through three stages. What its stages do to the outside
// world is a line in a file, with the context that they saw. Arguments: the folder, and the point; none: it lives and stops.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { openPipeline, stage } from 'millrace'
import type { Commit } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, point] = process.argv.slice(2) as [string, string?]

function dieAt(here: string): void {
  if (here === point) process.kill(process.pid, 'SIGKILL')
}

/** A stage that adds its name to the context, and derives an event. */
const step = (name: string) =>
  stage(name, async ({ context }) => {
    appendFileSync(join(folder, 'effects'), `${name} ${JSON.stringify(context)}\n`)
    await new Promise((resolve) => setImmediate(resolve))
    dieAt(`${name} begun`)
    const seen = (context['seen'] as readonly string[] | undefined) ?? []
    return { outcome: 'ack', context: { seen: [...seen, name] }, derive: [{ type: `done.${name}` }] }
  })

/** How far a commit brings the event: the stages that it records as done, or its end. */
function reached({ ledgers = [] }: Commit): string | undefined {
  const [work] = ledgers.filter(({ subscription }) => subscription === 'work')
  if ((work?.history?.length ?? 0) > 0) return 'settled'
  return work?.put?.flatMap(({ done }) => done).at(-1)
}

const { declaration, ...use } = sqlite({ path: join(folder, 'events.db') })
const pipeline = await openPipeline({
  store: {
    ...use,
    declaration: {
      ...declaration,
      async open(options, context) {
        const store = await declaration.open(options, context)
        const commit = store.commit.bind(store)
        store.commit = async (commits) => {
          const places = commits.map(reached)
          for (const place of places) dieAt(`before ${place} is committed`)
          const results = await commit(commits)
          for (const place of places) dieAt(`after ${place} is committed`)
          return results
        }
        return store
      },
    },
  },
  subscriptions: {
    work: {
      match: ['order.*'],
      stages: [step('first'), step('second'), step('third')],
      retry: { attempts: 10, delays: ['5ms'] },
    },
  },
})
const { status } = await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed' })
while ((await pipeline.subscription('work')).open > 0) await pipeline.idle()
console.log(status)
await pipeline.stop()
