import { formatPosition } from '../core/position.ts'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform, type VirtualPlatform } from '../testing/virtual-platform.ts'
import type { ViewRequest } from './api.ts'
import { policy } from './engine-fixture.test-support.ts'
import type { ViewSpec } from './setup.ts'
import { View } from './view.ts'

export interface Frame {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** Reads the `text/event-stream` format as its standard says: fields by line, a frame at each empty line. */
export function framesOf(text: string): Frame[] {
  const blocks = text.split(/(?:\r\n|\r|\n){2}/)
  return blocks.slice(0, -1).map((block) => {
    const fields = block.split(/\r\n|\r|\n/).map((line) => {
      const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
      return [name, value] as const
    })
    const last = (name: string): string | undefined => fields.findLast(([field]) => field === name)?.[1]
    const data = fields.filter(([field]) => field === 'data').map(([, value]) => value)
    return { id: last('id'), event: last('event') ?? 'message', data: data.join('\n') }
  })
}

/** The sequence at the end of an id. */
export function sequenceOf({ id }: Frame): number {
  return Number(id?.slice(id.lastIndexOf('-') + 1))
}

/** A client whose connection holds so many bytes until `take` is called. */
export function clientOf(view: View, request: ViewRequest = {}, room = Number.POSITIVE_INFINITY) {
  const decoder = new TextDecoder()
  let held = 0
  let text = ''
  const state = { how: 'open' as 'open' | 'ended' | 'cut', writesWhenFull: 0, writes: 0, mostHeld: 0 }
  const connection = view.enter(request)
  connection.open({
    write(bytes) {
      if (held >= room) state.writesWhenFull += 1
      held += bytes.length
      state.writes += 1
      state.mostHeld = Math.max(state.mostHeld, held)
      text += decoder.decode(bytes, { stream: true })
      return held < room
    },
    end: () => {
      state.how = 'ended'
    },
    cut: () => {
      state.how = 'cut'
    },
  })
  return {
    state,
    connection,
    frames: () => framesOf(text),
    /** What is no info, gap or heartbeat. */
    events: () => framesOf(text).filter(({ event }) => !['info', 'gap', 'heartbeat'].includes(event)),
    take() {
      held = 0
      connection.resume()
    },
  }
}

export interface AppendOptions {
  readonly data?: string | undefined
  readonly source?: string | undefined
  readonly subject?: string | undefined
}

export interface ViewUnderTest {
  readonly view: View
  readonly store: Store
  readonly platform: VirtualPlatform
  readonly errors: string[]
  /** Appends events of these types and lets everything that follows happen. */
  append(types: readonly string[], more?: AppendOptions): Promise<void>
  id(sequence: number): string
}

let appended = 0

/** A view on a memory store, in virtual time. */
export async function viewOf(
  change: Partial<ViewSpec['policy']> = {},
  settings: Partial<ViewSpec['settings']> = {},
  wrap: (store: Store) => Store = (store) => store,
): Promise<ViewUnderTest> {
  const platform = createVirtualPlatform()
  const { declaration, options } = memory()
  const store = wrap(await declaration.open(options as never, { directory: '.', platform }))
  const errors: string[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) }
  const spec: ViewSpec = {
    policy: policy('feed', change),
    sinkName: 'sse',
    settings: {
      heartbeatMs: 15_000,
      patienceMs: 25_000,
      connections: 10_000,
      connectionsPerToken: 1000,
      ...settings,
    },
  }
  return {
    view: new View(spec, store, platform, log),
    store,
    platform,
    errors,
    async append(types, { data = '{"n":1}', source = 'shop', subject } = {}) {
      await store.commit([{ events: types.map((type) => ({ source, id: `e${++appended}`, type, subject, data })) }])
      await platform.settle()
    },
    id: (sequence) => formatPosition(store.incarnation, sequence),
  }
}
