import { AppError } from '../core/errors.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { Store } from '../plugin/store.ts'
import type { SubscriptionStatus } from './api.ts'
import { seeingStore } from './seeing-store.ts'
import type { ViewSpec } from './setup.ts'
import { View } from './view.ts'

/** The views of a pipeline, by name. */
export class Views {
  readonly #views = new Map<string, View>()
  readonly #make: (spec: ViewSpec) => View

  constructor(specs: readonly ViewSpec[], store: Store, platform: Platform, log: Log) {
    this.#make = (spec) => new View(spec, spec.see === undefined ? store : seeingStore(store, spec.see), platform, log)
    for (const spec of specs) this.add(spec)
  }

  /** From now on clients may read it. */
  add(spec: ViewSpec): void {
    this.#views.set(spec.policy.name, this.#make(spec))
  }

  /** Ends its clients; nobody may read it any more. */
  remove(name: string): void {
    this.#views.get(name)?.close()
    this.#views.delete(name)
  }

  get names(): readonly string[] {
    return [...this.#views.keys()]
  }

  /** Those that cannot read the log at the moment. */
  get failing(): readonly { readonly name: string; readonly error: string }[] {
    return [...this.#views.values()].flatMap(({ name, lastError }) =>
      lastError === undefined ? [] : [{ name, error: lastError }],
    )
  }

  get(name: string): View | undefined {
    return this.#views.get(name)
  }

  has(name: string): boolean {
    return this.#views.has(name)
  }

  statuses(): readonly SubscriptionStatus[] {
    return [...this.#views.values()].map((view) => view.status())
  }

  /** What to say to who wants to do something with deliveries that a view does not have. */
  noLedger(name: string): AppError {
    return new AppError(
      'state-conflict',
      `that cannot be done with ${name}: it is a view of the log, whose clients hold their own position; it has no deliveries that could wait, fail or be asked about`,
    )
  }

  close(): void {
    for (const view of this.#views.values()) view.close()
  }
}
