import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { EventInput } from '../../core/event.ts'
import { createPipeline } from '../../pipeline.ts'
import { defineSink } from '../../plugin/define.ts'
import { schema } from '../../plugin/schema.ts'
import type { Pipeline } from '../../runtime/api.ts'
import { sqlite } from '../../stores/sqlite.ts'
import type { CliIo } from '../io.ts'
import { count, span } from '../numbers.ts'
import { createProgress, type Progress } from '../progress.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { table } from '../table.ts'

interface Measure {
  readonly name: string
  readonly events: number
  readonly ms: number
  readonly p50Ms?: number | undefined
  readonly p99Ms?: number | undefined
}

const secondsEach = 3
const batchSize = 1_000

/** `bench`: a quick measure of this machine. */
export function register(program: Command, io: CliIo): void {
  program
    .command('bench')
    .description('Measure this machine in about ten seconds: append, deliver, end to end. Events are synced to disk.')
    .option('--in <folder>', 'where the temporary store is made: choose the disk that counts')
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions & { readonly in?: string }>(command)
      const parent = options.in === undefined ? tmpdir() : resolve(io.cwd, options.in)
      const folder = mkdtempSync(join(parent, 'millrace-bench-'))
      try {
        const measures = await measureAll(io, folder)
        const machine = {
          cpu: cpus()[0]?.model ?? 'unknown',
          cores: cpus().length,
          node: process.version,
          folder: parent,
        }
        if (options.json === true) io.out(JSON.stringify({ machine, durability: 'disk', measures }))
        else io.out(benchText(io, machine, measures))
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    })
}

async function measureAll(io: CliIo, folder: string): Promise<Measure[]> {
  const progress = createProgress(io, 'events')
  try {
    return [
      await inPipeline(folder, 'batch', false, (pipeline) => appendBatches(pipeline, progress)),
      await inPipeline(folder, 'deliver', true, (pipeline) => deliver(pipeline, progress)),
      await inPipeline(folder, 'single', true, (pipeline, arrived) => oneByOne(pipeline, arrived, progress)),
    ]
  } finally {
    progress.end()
  }
}

type Arrived = () => Promise<void>

async function inPipeline(
  folder: string,
  name: string,
  delivers: boolean,
  run: (pipeline: Pipeline, arrived: Arrived) => Promise<Measure>,
): Promise<Measure> {
  let wake: () => void = () => undefined
  const nothing = defineSink({
    name: 'nothing',
    summary: 'Takes everything and does nothing.',
    options: schema.strictObject({}),
    example: {},
    delivers: 'nothing',
    batch: 256,
    create: () => ({
      async deliver(deliveries) {
        wake()
        return deliveries.map(() => ({ outcome: 'ack' }))
      },
    }),
  })
  const config = {
    store: sqlite({ path: join(folder, `${name}.db`), durability: 'disk' }),
    subscriptions: delivers ? { sink: { sink: nothing() } } : {},
  }
  const pipeline = createPipeline(config)
  try {
    await pipeline.start()
    return await run(pipeline, () => new Promise((resolve) => (wake = resolve)))
  } finally {
    await pipeline.stop()
  }
}

let next = 0

function someEvents(number: number): EventInput[] {
  return Array.from({ length: number }, () => {
    next += 1
    const data = { order: next, total: 120.5, currency: 'EUR', note: 'a typical event has a few hundred bytes' }
    return {
      source: 'bench',
      id: `${next}-${Math.random().toString(36).slice(2)}`,
      type: 'bench.order.placed',
      subject: `o-${next % 1_000}`,
      data,
    }
  })
}

async function appendBatches(pipeline: Pipeline, progress: Progress): Promise<Measure> {
  const startedAt = performance.now()
  const until = startedAt + secondsEach * 1_000
  let events = 0
  const writer = async (): Promise<void> => {
    while (performance.now() < until) {
      await pipeline.publish(someEvents(batchSize))
      events += batchSize
      progress.show({ count: events })
    }
  }
  // Two at once: while one batch syncs, the next one gathers.
  await Promise.all([writer(), writer()])
  return { name: `append, batches of ${count(batchSize)}`, events, ms: performance.now() - startedAt }
}

async function deliver(pipeline: Pipeline, progress: Progress): Promise<Measure> {
  const startedAt = performance.now()
  const until = startedAt + secondsEach * 1_000
  let events = 0
  while (performance.now() < until) {
    await pipeline.publish(someEvents(batchSize))
    events += batchSize
    progress.show({ count: events })
  }
  await pipeline.idle()
  return { name: 'append and deliver to one sink', events, ms: performance.now() - startedAt }
}

/** The time from the call of `publish` to the sink, one event at a time. */
async function oneByOne(pipeline: Pipeline, arrived: Arrived, progress: Progress): Promise<Measure> {
  const times: number[] = []
  const startedAt = performance.now()
  while (performance.now() - startedAt < secondsEach * 1_000) {
    const [event] = someEvents(1)
    const before = performance.now()
    const delivered = arrived()
    await pipeline.publish(event as EventInput)
    await delivered
    times.push(performance.now() - before)
    progress.show({ count: times.length })
  }
  const ms = performance.now() - startedAt
  times.sort((a, b) => a - b)
  const at = (part: number): number | undefined => times[Math.min(times.length - 1, Math.floor(times.length * part))]
  return { name: 'end to end, one at a time', events: times.length, ms, p50Ms: at(0.5), p99Ms: at(0.99) }
}

function benchText(io: CliIo, machine: Readonly<Record<string, unknown>>, measures: readonly Measure[]): string {
  const rows = table<Measure>(
    io,
    [
      { title: 'measure', value: ({ name }) => name },
      { title: 'events', value: ({ events }) => events, isNumber: true },
      { title: 'events/s', value: ({ events, ms }) => Math.round((events * 1_000) / ms), isNumber: true },
      { title: 'p50', value: ({ p50Ms }) => (p50Ms === undefined ? undefined : fine(p50Ms)), isNumber: true },
      { title: 'p99', value: ({ p99Ms }) => (p99Ms === undefined ? undefined : fine(p99Ms)), isNumber: true },
    ],
    measures,
  )
  const { cpu, cores, node, folder } = machine
  return `${rows}\nSQLite, every append synced to disk, about 200 bytes an event. ${cpu}, ${cores} cores, Node ${node}, ${folder}.\nA short run on a machine that may be busy; "npm run bench" in the repository follows a protocol.`
}

function fine(ms: number): string {
  return ms < 10 ? `${ms.toFixed(2)}ms` : span(ms)
}
