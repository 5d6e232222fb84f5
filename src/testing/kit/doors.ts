import type { Delivery, Sink, SinkContext } from '../../plugin/sink.ts'
import type { PluginContext, Source } from '../../plugin/source.ts'
import type { Stage, StageInput } from '../../plugin/stage.ts'
import type { Commit, CommitResult, Store } from '../../plugin/store.ts'
import { type Faults, isAppend, pointsAfter } from './faults.ts'
import type { Life } from './life.ts'
import type { UnderWay } from './under-way.ts'

/** What stands between a process and the outside: its store, its stages and its sinks, which a crash shuts. */
export interface Doors {
  readonly life: Life
  readonly faults: Faults
  readonly underWay: UnderWay
}

/** A store as one process has it: shared with the next one, so that it is not closed with this one. */
export interface ProcessStore extends Store {
  /** Commits handed in so far. */
  readonly commits: number
}

/** The store of one process. What it wrote before a crash is there; what it does after it is not. */
export function storeBehind(store: Store, doors: Doors): ProcessStore {
  const { life } = doors
  let commits = 0
  const own = {
    get commits() {
      return commits
    },
    commit(given: readonly Commit[]) {
      commits += 1
      return life.isRunning ? commitBehind(store, doors, given) : life.cutOff()
    },
    wait: (...args: Parameters<Store['wait']>) => (life.isRunning ? store.wait(...args) : life.cutOff()),
    close: async () => undefined,
    state: through(store.state, {}, doors),
  }
  return through(store, own, doors) as ProcessStore
}

async function commitBehind(store: Store, doors: Doors, given: readonly Commit[]): Promise<readonly CommitResult[]> {
  const { life, faults, underWay } = doors
  if (given.some(isAppend) && faults.hits('before-commit')) {
    life.crash()
    return life.cutOff()
  }
  const failure = faults.nextFailure()
  if (failure?.isStored === false) throw failure.error()
  const results = await underWay.watch(store.commit(given))
  if (failure !== undefined) throw failure.error()
  for (const [index, commit] of given.entries()) {
    if (results[index]?.kind !== 'ok') continue
    for (const [point, at] of pointsAfter(commit)) if (faults.hits(point, at)) life.crash()
  }
  return life.isRunning ? results : life.cutOff()
}

/** A store whose asynchronous methods are cut off by a crash. Those of `own` stand in their place. */
function through<T extends object>(target: T, own: object, { life, underWay }: Doors): T {
  return replacing(target, own, (name, call) => {
    if (!life.isRunning && name !== 'head' && name !== 'oldest') return life.cutOff()
    return underWay.watch(call())
  })
}

/** An object with other methods in the place of some. Every other one is called as `around` does. */
function replacing<T extends object>(
  target: T,
  own: object,
  around: (name: string | symbol, call: () => unknown) => unknown = (_, call) => call(),
): T {
  return new Proxy(target, {
    get(_, name) {
      if (name in own) return Reflect.get(own, name)
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => around(name, () => Reflect.apply(value, target, args))
    },
  })
}

/** A stage of one process. What it answers after a crash leads nowhere: nothing of it is stored. */
export function stageBehind(stage: Stage, name: string, subscription: string, doors: Doors): Stage {
  const { life, faults, underWay } = doors
  const at = { subscription, stage: name }
  const answered = () => {
    if (life.isRunning && faults.hits('after-stage-before-commit', at)) life.crash()
  }
  return replacing(stage, {
    process(input: StageInput) {
      if (!life.isRunning) return life.cutOff()
      const isCutShort = faults.hits('during-stage', at)
      const answer = stage.process(input)
      if (isCutShort) life.crash()
      if (isPromise(answer)) return underWay.watch(Promise.resolve(answer), { mayHang: true }).finally(answered)
      answered()
      return answer
    },
    ...lifeOf(stage, underWay),
  })
}

/** A sink of one process. */
export function sinkBehind(sink: Sink, subscription: string, doors: Doors): Sink {
  const { life, faults, underWay } = doors
  const at = { subscription }
  const answered = () => {
    if (life.isRunning && faults.hits('after-sink-before-commit', at)) life.crash()
  }
  return replacing(sink, {
    async deliver(deliveries: readonly Delivery[], context: SinkContext) {
      if (!life.isRunning) return life.cutOff()
      const isCutShort = faults.hits('during-sink', at)
      const messages = deliveries.map(({ messageId }) => messageId)
      const answer = underWay.watch((async () => sink.deliver(deliveries, context))(), { messages, mayHang: true })
      if (isCutShort) life.crash()
      return answer.finally(answered)
    },
    ...lifeOf(sink, underWay),
  })
}

/** A source of one process: what it reads goes to the store of that process, so that only its end is watched. */
export function sourceBehind(source: Source, { underWay }: Doors): Source {
  const { close } = lifeOf(source, underWay)
  return replacing(source, { close })
}

/** Opening and closing are real work as well. */
function lifeOf(plugin: Pick<Sink, 'open' | 'close'>, underWay: UnderWay) {
  return {
    open: async (context: PluginContext) => underWay.watch(plugin.open?.(context), { mayHang: true }),
    close: async () => underWay.watch(plugin.close?.(), { mayHang: true }),
  }
}

function isPromise(value: unknown): value is PromiseLike<never> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
