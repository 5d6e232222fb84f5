// A process with an isolated stage that never ends and one that crashes: stops as soon as both have died, and must then end
// by itself.
import { createPipeline } from 'millrace'
import { memory } from 'millrace/stores/memory'

const file = new URL('../../src/plugin/isolate/functions.test-support.ts', import.meta.url).href
const stage = (name: string) => ({
  use: `${file}#${name}`,
  name,
  isolate: true,
  timeout: '200ms',
  retry: { attempts: 1 },
})
const pipeline = createPipeline({
  store: memory(),
  subscriptions: { loops: { stages: [stage('spin')] }, exits: { stages: [stage('exit')] } },
})
const running = pipeline.run()
await pipeline.start()
await pipeline.publish({ source: 'shop', id: '1', type: 'a', subject: 'poison' })
while ((await pipeline.subscription('loops')).counters.dead + (await pipeline.subscription('exits')).counters.dead < 2)
  await new Promise((resolve) => setTimeout(resolve, 10))
// One more is under way.
await pipeline.publish({ source: 'shop', id: '2', type: 'a' })
await pipeline.stop({ deadline: '50ms' })
console.log(`died: ${(await running).subscriptions['loops']!.counters.died}`)
