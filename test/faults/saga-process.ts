// A process to be killed: publishes orders and parcels, a saga each, whose steps note their effects in a file. Arguments: the
// folder, and `finish` to publish nothing new and to end when every saga has.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openPipeline } from 'millrace'
import { type SagaInput, StepRejected, saga } from 'millrace/stages/saga'
import { sqlite } from 'millrace/stores/sqlite'

process.stdout.write('started\n')
const [folder, mode] = process.argv.slice(2) as [string, string | undefined]
const effects = join(folder, 'effects')
const published = join(folder, 'published')
const openAtMost = 40

/** What a kill leaves of a file is what was written: it is the process that dies, not the machine. */
async function effect(what: string): Promise<void> {
  await sleep(Math.random() * 6)
  appendFileSync(effects, `${what}\n`)
  await sleep(Math.random() * 6)
}

const kindOf = (key: string): number => Number(key.split('-')[1]) % 8

/** A step with an effect; `does` may throw before it, and `after` behind it. */
function step(
  name: string,
  does: Readonly<Record<number, (input: SagaInput) => void>> = {},
  after: readonly number[] = [],
) {
  const quick = { base: '10ms', max: '50ms' }
  return {
    name,
    retry: { ...quick, attempts: 5 },
    compensateRetry: quick,
    async run(input: SagaInput) {
      does[kindOf(input.key)]?.(input)
      await effect(`run ${input.key} ${name}`)
      if (after.includes(kindOf(input.key))) throw new Error('the answer was lost')
      return { by: input.idempotencyKey }
    },
    async compensate({ key, attempt }: SagaInput) {
      if (kindOf(key) === 4 && attempt <= 2) throw new Error('not now')
      await effect(`undo ${key} ${name}`)
    },
  }
}

const refuse = (): never => {
  throw new StepRejected('declined')
}
const failOnce = ({ attempt }: SagaInput): void => {
  if (attempt === 1) throw new Error('once')
}
const fail = (): never => {
  throw new Error('always')
}

const pipeline = await openPipeline({
  store: sqlite({ path: join(folder, 'events.db') }),
  subscriptions: {
    orders: {
      match: ['order.placed'],
      start: 'beginning',
      stages: [
        saga({
          start: 'order.placed',
          steps: [
            step('reserve', { 5: fail }),
            step('charge', { 1: refuse, 3: failOnce }),
            step('ship', { 4: refuse }, [2]),
          ],
          completed: 'saga.completed',
          compensated: 'saga.compensated',
        }),
      ],
    },
    parcels: {
      match: ['parcel.*'],
      start: 'beginning',
      stages: [
        saga({
          start: 'parcel.placed',
          steps: [
            step('label'),
            { name: 'scanned', event: 'parcel.scanned', fail: 'parcel.lost', timeout: '1h' },
            step('deliver', { 6: refuse }),
          ],
          completed: 'saga.completed',
          compensated: 'saga.compensated',
        }),
      ],
    },
  },
})

process.stdout.write('open\n')
const numbers = existsSync(published) ? readFileSync(published, 'utf8').split('\n').length - 1 : 0
const scan = (n: number) => ({
  source: 'carrier',
  id: `scan-${n}`,
  type: n % 8 === 1 ? 'parcel.lost' : 'parcel.scanned',
  subject: `parcel-${n}`,
})
const open = async (): Promise<number> =>
  (await Promise.all(['orders', 'parcels'].map((name) => pipeline.subscription(name)))).reduce(
    (sum, status) => sum + status.open + status.lag,
    0,
  )

// What a killed process did not come to publish; what it did is a duplicate.
if (numbers > 0) await pipeline.publish(Array.from({ length: Math.min(numbers, 500) }, (_, n) => scan(numbers - 1 - n)))
if (mode === 'finish') {
  while ((await open()) > 0) await sleep(10)
  await pipeline.stop()
  process.stdout.write('finished\n')
} else {
  for (let n = numbers; ; n++) {
    while ((await open()) > openAtMost) await sleep(5)
    appendFileSync(published, `${n}\n`)
    const placed = ['order', 'parcel'].map((what) => ({
      ...{ source: 'shop', id: `${what}-${n}`, type: `${what}.placed`, subject: `${what}-${n}` },
    }))
    await pipeline.publish(n % 8 === 2 ? [scan(n), ...placed] : placed)
    if (n % 8 !== 2) setTimeout(() => void pipeline.publish(scan(n)), Math.random() * 100)
    await sleep(Math.random() * 8)
  }
}
