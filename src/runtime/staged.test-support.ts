import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { StageInput, StageResult } from '../plugin/stage.ts'
import { stage } from '../plugin/stage-function.ts'
import { memory } from '../stores/memory.ts'
import { sqlite } from '../stores/sqlite.ts'
import { testPipeline } from '../testing/kit/test-pipeline.ts'
import { scriptedSource } from '../testing/scripted-source.ts'

/** What a stage of a test does with an event. */
export type Answer = (input: StageInput) => StageResult | undefined | Promise<StageResult | undefined>

export const storeKinds = ['memory', 'sqlite'] as const

const stores = {
  memory: () => memory(),
  sqlite() {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-staged-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    return sqlite({ path: join(folder, 'events.db') })
  },
}

export const ack = { outcome: 'ack' } as const
export const later = { outcome: 'retry', delay: '1s' } as const
export const order = (id: string) => ({ source: 'shop', id, type: 'order.placed' })

/**
 * A pipeline in virtual time whose subscription `work` has these stages; each call is noted in `ran` as `name id`, and a
 * repeated one as `name id again`. Its source is `feed`.
 */
export async function staged(
  kind: (typeof storeKinds)[number],
  answers: Readonly<Record<string, Answer>>,
  source = scriptedSource(),
) {
  const ran: string[] = []
  const stages = Object.entries(answers).map(([name, answer]) =>
    stage(name, (input) => {
      ran.push(`${name} ${input.event.id}${input.attempt === 1 ? '' : ' again'}`)
      return answer(input)
    }),
  )
  const pipeline = await testPipeline(
    {
      store: stores[kind](),
      sources: { feed: source },
      subscriptions: {
        work: { start: 'beginning', stages, retry: { attempts: 'unlimited', delays: ['1s'], jitter: 0 } },
      },
    },
    { patience: '50ms' },
  )
  onTestFinished(() => pipeline[Symbol.asyncDispose]())
  return {
    pipeline,
    ran,
    async publish(...ids: readonly string[]) {
      await pipeline.publish(ids.map(order))
      await pipeline.idle()
    },
    counters: async () => (await pipeline.subscription('work')).counters,
  }
}
