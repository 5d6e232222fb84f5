import type { Attempt } from '../../core/outcome.ts'
import type { JsonOptions } from '../../plugin/define.ts'
import type { SubscriptionConfig } from '../../plugin/pipeline-schema.ts'
import type { SubscriptionStatus } from '../api.ts'

/** What a change asks of the version that is there. */
export interface Expected {
  /** Its version as `etag` says it; the change is refused (`precondition-failed`) when another one is there. */
  readonly ifMatch?: string | undefined
  /** True: refused when it exists already. */
  readonly isNew?: boolean | undefined
}

/** What came of `subscribe`. */
export interface Subscribed {
  /** False: it existed, and goes on from its place with what it is now. */
  readonly isNew: boolean
  /** Changes with every change. */
  readonly etag: string
  readonly subscription: SubscriptionStatus
  /** A secret that was made for it. Shown here and never again. */
  readonly secret?: string | undefined
}

/** A secret that was changed. */
export interface RotatedSecret {
  /** Shown here and never again. */
  readonly secret: string
  /** Until then (RFC 3339) requests are signed with the old one, too. */
  readonly oldUntil: string
  readonly etag: string
}

/** What a test delivery met: an attempt like others, recorded nowhere. */
export interface TestDelivery extends Attempt {
  /** The id it was sent under. */
  readonly messageId: string
}

/** Subscriptions that are made, changed and ended while the pipeline runs. They are stored and survive restarts. */
export interface SubscriptionDesk {
  /**
   * Makes a subscription, or changes one that was made so: then it keeps its ledger and goes on from its place. Its sink is
   * webhook, pull or sse. Resolves when it is stored and at work.
   *
   * @example
   * const { secret } = await pipeline.subscribe('acme', { where: 'meta.tenant == "acme"', sink: webhook({ url }) })
   */
  subscribe(name: string, config: SubscriptionConfig, expected?: Expected): Promise<Subscribed>
  /** Ends one that was made so and forgets it with its ledger, dead letters and history. */
  unsubscribe(name: string, expected?: Expected): Promise<void>
  /** As it was given to `subscribe`, secrets and header values hidden. */
  configOf(name: string): Promise<{ readonly etag: string; readonly config: JsonOptions }>
  /** A new signing secret; the old one signs beside it for so long (default 24h) and is then of no use. */
  rotateSecret(
    name: string,
    options?: { readonly overlap?: string | undefined; readonly secret?: string | undefined },
  ): Promise<RotatedSecret>
  /** Sends an event of type `millrace.test` the way deliveries go. It is not stored and nothing is counted. */
  testDelivery(name: string): Promise<TestDelivery>
  /** Encrypts every stored secret with a new key; where the keys come from a variable, with the first of them. */
  rotateSecretKey(): Promise<{ readonly changed: number; readonly unreadable: number }>
}
