import { nodePlatform } from '../../plugin/platform.ts'
import type { Store } from '../../plugin/store.ts'
import { memory } from '../../stores/memory.ts'
import { engineWith, type Spec, until } from '../engine-fixture.test-support.ts'
import type { ReplayOptions, ReplayState, ReplayStatus } from './face.ts'

/** Fast enough that nobody waits in a test. */
export const rate = '100000/s'

/** A memory store that a stopped engine leaves open for the next one. */
export async function lastingStore(platform = nodePlatform): Promise<Store> {
  const store = await memory().declaration.open({}, { directory: '.', platform })
  return Object.assign(Object.create(store) as Store, { close: async () => undefined })
}

export type Running = Awaited<ReturnType<typeof engineWith>>
export type Engine = Running['engine']

export async function startWith(
  specs: readonly Spec[],
  change: Parameters<typeof engineWith>[3] = {},
): Promise<Running> {
  return engineWith(specs, await lastingStore(change.platform), true, change)
}

/** Waits until a replay stands so. */
export async function stands(
  engine: Engine,
  { subscription, id }: ReplayStatus,
  state: ReplayState,
): Promise<ReplayStatus> {
  await until(async () => (await engine.replayStatus(subscription, id)).state === state)
  return engine.replayStatus(subscription, id)
}

/** Replays to the end, as fast as it goes. */
export async function replayed(engine: Engine, name: string, options: ReplayOptions): Promise<ReplayStatus> {
  return stands(engine, await engine.replay(name, { rate, ...options }), 'done')
}

export const replayIds = (deliveries: readonly { readonly messageId: string }[], id: string): string[] =>
  deliveries.map(({ messageId }) => messageId).filter((messageId) => messageId.endsWith(`_${id}`))
