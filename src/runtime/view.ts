import { eventToJson } from '../core/cloud-event.ts'
import { AppError, messageOf } from '../core/errors.ts'
import { resumeAt } from '../core/event-stream.ts'
import { noCounters } from '../core/ledger-state.ts'
import { createMatchIndex } from '../core/match.ts'
import { bodyOf } from '../core/payload.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { Store } from '../plugin/store.ts'
import type { LogView, SubscriptionStatus, ViewConnection, ViewCounters, ViewRequest } from './api.ts'
import type { ViewSpec } from './setup.ts'
import { type Chunk, type Lens, narrowTo } from './view-chunk.ts'
import { type ClientSurroundings, ViewClient } from './view-client.ts'
import { Horizon } from './view-horizon.ts'
import { ViewLog } from './view-log.ts'

/** How often connections are looked after, at most. */
const tendMs = 1000
const retryMs = 1000

type Narrow = (chunk: Chunk) => Chunk
type Look = NonNullable<ViewRequest['look']>

const whole: Look = (event) => event

/** What the clients of a subscription see of an event. What is kept from them is not in a payload that is made of it either. */
function lensOf({ match, from, where, payload, coalesce }: SubscriptionPolicy, look: Look): Lens {
  const index = createMatchIndex<true>()
  index.add(true, match, from)
  return {
    shows: (event) => index.lookup(event.source, event.type).length > 0 && (where?.test(event) ?? true),
    encode: (event) => (payload === undefined ? eventToJson(look(event)) : bodyOf(look(event), payload)),
    isCoalesced: coalesce !== undefined,
  }
}

/**
 * A subscription without a ledger: its clients hold their position, and the view hands each what comes after it. While
 * nobody is connected it reads nothing. One watch on the log serves all clients, and `ViewLog` reads and encodes for all.
 */
export class View implements LogView {
  readonly name: string
  readonly policy: SubscriptionPolicy
  readonly #spec: ViewSpec
  readonly #store: Store
  readonly #platform: Platform
  readonly #log: Log
  readonly #horizon: Horizon
  /** One for all who are shown the same. */
  readonly #logs = new Map<Look, ViewLog>()
  readonly #clients = new Map<ViewClient, { readonly token: string | undefined; readonly types: string | undefined }>()
  readonly #around: Omit<ClientSurroundings, 'find' | 'want'>
  readonly #narrowings = new Map<string, { readonly narrow: Narrow; users: number }>()
  readonly #ending = new AbortController()
  readonly #counts = { opened: 0, sent: 0, cut: 0, gaps: 0, refused: 0 }
  #isWatching = false
  #isTending = false

  constructor(spec: ViewSpec, store: Store, platform: Platform, log: Log) {
    this.name = spec.policy.name
    this.policy = spec.policy
    this.#spec = spec
    this.#store = store
    this.#platform = platform
    this.#log = log
    const { coalesce } = spec.policy
    this.#horizon = new Horizon(
      () => store.head(),
      platform,
      coalesce?.windowMs,
      () => this.#pump(),
    )
    const counts = this.#counts
    this.#around = {
      incarnation: store.incarnation,
      heartbeatMs: spec.settings.heartbeatMs,
      patienceMs: spec.settings.patienceMs,
      head: () => this.#horizon.position,
      monotonic: () => platform.clock.monotonic(),
      sent: (count) => {
        counts.sent += count
      },
      missed: () => {
        counts.gaps += 1
      },
      wasCut: () => {
        counts.cut += 1
      },
      left: (client) => this.#leave(client),
    }
  }

  /** Why the log cannot be read at the moment. */
  get lastError(): string | undefined {
    return [...this.#logs.values()].find(({ lastError }) => lastError !== undefined)?.lastError
  }

  get counters(): ViewCounters {
    return { connections: this.#clients.size, ...this.#counts }
  }

  enter({ after, types, token, look = whole, isAllowed = () => true }: ViewRequest): ViewConnection {
    this.#checkRoom(token)
    if (this.#ending.signal.aborted) return this.#over()
    const { incarnation } = this.#store
    const { position, gap } = resumeAt(after, { incarnation, oldest: this.#store.oldest(), head: this.#store.head() })
    const key = types === undefined ? undefined : [...new Set(types)].sort().join(',')
    const narrow = key === undefined ? undefined : this.#narrowing(key)
    const client = new ViewClient(this.#surroundings(look), { position, gap, narrow, isAllowed })
    if (this.#clients.size === 0) this.#horizon.begin()
    this.#clients.set(client, { token, types: key })
    this.#counts.opened += 1
    this.#watch()
    this.#tend()
    return client
  }

  /** Ends every connection; none begins any more. */
  close(): void {
    this.#ending.abort()
    for (const log of this.#logs.values()) log.isStopped = true
    for (const client of [...this.#clients.keys()]) client.end()
  }

  /** As people see it: it has connections instead of books. */
  status(): SubscriptionStatus {
    const head = this.#store.head()
    const { name, policy, counters: view } = this
    return {
      name,
      state: 'running',
      sink: this.#spec.sinkName,
      match: policy.match,
      from: policy.from,
      start: head,
      examined: head,
      floor: head,
      head,
      lag: 0,
      open: 0,
      counters: { ...noCounters, filtered: 0, dead: 0, open: 0 },
      oldestAgeSeconds: 0,
      view,
    }
  }

  #surroundings(look: Look): ClientSurroundings {
    const log = this.#logs.get(look) ?? this.#openLog(look)
    return { ...this.#around, find: (position) => log.find(position), want: (position) => log.want(position) }
  }

  #openLog(look: Look): ViewLog {
    const lens = { ...lensOf(this.policy, look), head: () => this.#horizon.position }
    const log = new ViewLog(this.#store, this.#platform, this.#log, lens, () => this.#pump())
    this.#logs.set(look, log)
    return log
  }

  /** A browser that is refused never comes back; one whose stream ends does. */
  #over(): ViewConnection {
    const client = new ViewClient(this.#surroundings(whole), {
      position: 0,
      gap: undefined,
      narrow: undefined,
      isAllowed: () => true,
    })
    client.end()
    return client
  }

  #checkRoom(token: string | undefined): void {
    const { connections, connectionsPerToken } = this.#spec.settings
    const own = token === undefined ? 0 : [...this.#clients.values()].filter((each) => each.token === token).length
    if (this.#clients.size < connections && own < connectionsPerToken) return
    this.#counts.refused += 1
    const many = own < connectionsPerToken ? `${connections} clients` : `${own} clients with this token`
    throw new AppError('overloaded', `reading ${this.name} failed: ${many} read it already; try again later`)
  }

  /** Clients that ask for the same types share the work of leaving out the others. */
  #narrowing(types: string): Narrow {
    const shared = this.#narrowings.get(types) ?? { narrow: narrowTo(types.split(',')), users: 0 }
    shared.users += 1
    this.#narrowings.set(types, shared)
    return shared.narrow
  }

  #leave(client: ViewClient): void {
    const types = this.#clients.get(client)?.types
    const shared = types === undefined ? undefined : this.#narrowings.get(types)
    if (shared !== undefined) {
      shared.users -= 1
      if (shared.users === 0) this.#narrowings.delete(types!)
    }
    this.#clients.delete(client)
    if (this.#clients.size > 0) return
    this.#horizon.end()
    for (const log of this.#logs.values()) log.forget()
  }

  #pump(): void {
    for (const client of this.#clients.keys()) client.pump()
  }

  #watch(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    const again = (): void => {
      this.#isWatching = false
      if (this.#clients.size > 0 && !this.#ending.signal.aborted) this.#watch()
    }
    this.#follow().then(again, (error: unknown) => {
      if (this.#ending.signal.aborted) return
      this.#log.error(`waiting for events to show in ${this.name} failed; it is tried again`, {
        error: messageOf(error),
      })
      this.#platform.after(retryMs, again)
    })
  }

  /** Tells the clients whenever the log has grown, as long as there are any. */
  async #follow(): Promise<void> {
    while (this.#clients.size > 0 && !this.#ending.signal.aborted) {
      const head = this.#store.head()
      this.#horizon.grow()
      this.#pump()
      await this.#store.wait(head, this.#ending.signal)
    }
  }

  #tend(): void {
    if (this.#isTending || this.#clients.size === 0) return
    this.#isTending = true
    const { heartbeatMs, patienceMs } = this.#spec.settings
    this.#platform.after(Math.min(tendMs, heartbeatMs, patienceMs), () => {
      this.#isTending = false
      const now = this.#platform.clock.monotonic()
      for (const client of [...this.#clients.keys()]) client.tend(now)
      this.#tend()
    })
  }
}
