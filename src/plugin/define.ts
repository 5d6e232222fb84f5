import type { BreakerPolicy } from '../core/breaker.ts'
import type { EgressRules } from '../core/egress.ts'
import type { Json } from '../core/event.ts'
import type { Guarantee, Ordering, RetryPolicy } from '../core/plan.ts'
import type { Platform } from '../core/platform.ts'
import type { Schema, SchemaInput, SchemaOutput } from './schema.ts'
import type { Sink } from './sink.ts'
import type { Source } from './source.ts'
import type { SourceSettings } from './source-settings.ts'
import type { Stage } from './stage.ts'
import type { Store } from './store.ts'

export const pluginKinds = ['store', 'source', 'stage', 'sink'] as const
export type PluginKind = (typeof pluginKinds)[number]

/** What surrounds a plug-in while it is made: relative paths are resolved against `directory`. */
export interface CreateContext {
  readonly directory: string
  readonly platform: Platform
  /** What outbound HTTP may reach beside public addresses; to be handed to the one client. Absent: nothing. */
  readonly egress?: EgressRules | undefined
  /** For a sink that is one of many made while the pipeline runs: what it sends with is shared with the others. */
  readonly isShared?: boolean | undefined
  /** For a sink: calls of `deliver` that the subscription makes at once, at most; so many connections are enough. */
  readonly concurrency?: number | undefined
}

interface Declaration<Kind extends PluginKind, S extends Schema> {
  readonly kind: Kind
  /** Kebab-case; the word after `type:` (or `use:` for stages). */
  readonly name: string
  /** One sentence: what it does. */
  readonly summary: string
  /** Strict object schema of its options, each with a description; the source of checks, types, docs and editor help. */
  readonly options: S
  /** Options of a starting configuration, as `millrace new` and `describe` print them. */
  readonly example: Readonly<Record<string, unknown>>
  /** For sources and sinks: what is allowed and probably not meant, found without opening anything. Shown by `check`. */
  warn?(options: SchemaOutput<S>, context: CreateContext): readonly PluginWarning[]
}

/** Something in a plug-in's options that works, but hardly as it was meant. */
export interface PluginWarning {
  /** Where in the options. */
  readonly path: readonly (string | number)[]
  /** What will happen and what to do; never a secret. */
  readonly message: string
}

export interface StoreDeclaration<S extends Schema = Schema> extends Declaration<'store', S> {
  open(options: SchemaOutput<S>, context: CreateContext): Promise<Store>
}
export interface SourceDeclaration<S extends Schema = Schema> extends Declaration<'source', S> {
  create(options: SchemaOutput<S>, context: CreateContext): Source
  /** True when it has no loop of its own: events reach it by other doors (`http`). */
  readonly isPassive?: boolean | undefined
  /** True for a passive source that takes requests to `/in/{name}` by its `receive`. */
  readonly receives?: boolean | undefined
}
export interface StageDeclaration<S extends Schema = Schema> extends Declaration<'stage', S> {
  create(options: SchemaOutput<S>, context: CreateContext): Stage
  /**
   * True when `process` has no side effects and its result need not be stored: adjacent pure stages run as one and cost no
   * commit. What they made of an event is made again after a crash.
   */
  readonly isPure?: boolean | undefined
  /** True when `process` runs code of the user inside this process. Absent: false for a built-in, true for any other. */
  readonly runsUserCode?: boolean | undefined
  /**
   * Present: what it keeps follows from the events alone, by this version of its code. Then it can be built again from the
   * log, beside what is kept, and is when the version changes.
   */
  foldVersion?(options: SchemaOutput<S>): string
  /** What its options say of the settings of every stage, where the user says nothing. */
  defaults?(options: SchemaOutput<S>): StageDefaults
  /** Patterns of the events that it needs to be given: a subscription that matches none of one is refused. */
  waitsFor?(options: SchemaOutput<S>): readonly string[]
  /** Options that are a schema of data (`dataSchema`): the files that they name are read when the configuration is checked. */
  readonly dataSchemas?: readonly string[] | undefined
  /** Settings of the subscription that it cannot work beside, each with the reason as a sentence without a full stop. */
  readonly excludes?: Readonly<Record<string, string>> | undefined
}
/** Settings of a stage where the user says nothing. */
export interface StageDefaults {
  readonly concurrency?: number | undefined
  readonly buffer?: number | undefined
  readonly timeoutMs?: number | undefined
}
/** What a sink that is a view of the log says of its clients: of this view and each of its connections. */
export interface ViewSettings {
  /** Each connection is told this often how far it has come. */
  readonly heartbeatMs: number
  /** A client that leaves what it was sent untaken for so long is cut off. */
  readonly patienceMs: number
  /** Connections at once, at most. */
  readonly connections: number
  /** Of these with one token, at most. */
  readonly connectionsPerToken: number
}

/** What a sink whose clients fetch batches says of them, where a client says nothing. */
export interface BatchSettings {
  /** How long a batch is a client's; 0: not at all. */
  readonly leaseMs: number
  /** Events in a batch, at most. */
  readonly limit: number
  /** How long a client may wait for events, at most. */
  readonly maxWaitMs: number
}

/** Options as JSON. */
export type JsonOptions = Readonly<Record<string, Json>>

/** How a sink's options are kept and shown where subscriptions are made while the pipeline runs. All of it works on JSON as written. */
export interface RunTimeOptions {
  /** True: the options are encrypted where they are stored. */
  readonly isSecret?: boolean | undefined
  /**
   * What is stored, from what was written and what was stored before: secrets that nothing is said of stay, or are made.
   * One that was made is also answered, to be shown once. What was written is not checked yet.
   */
  complete?(written: JsonOptions, before: JsonOptions | undefined): Completed
  /** What people see, without secrets; `isWhole` false: also without what may be a credential, such as a path. */
  show?(options: JsonOptions, isWhole: boolean): JsonOptions
  /** A new secret beside the one of now, which counts until a time (RFC 3339). */
  rotate?(options: JsonOptions, secret: string | undefined, oldUntil: string): Completed & { readonly secret: string }
  /** Leaves out secrets whose time is over; answers when the next one ends. */
  tidy?(options: JsonOptions, nowMs: number): { readonly options: JsonOptions; readonly nextMs: number | undefined }
}

/** Options to be stored, and a secret that was made for them. */
export interface Completed {
  readonly options: JsonOptions
  readonly secret?: string | undefined
}

export interface SinkDeclaration<S extends Schema = Schema> extends Declaration<'sink', S> {
  create(options: SchemaOutput<S>, context: CreateContext): Sink
  /** What a user may rely on, in words, for docs (S0-32). */
  readonly delivers: string
  /** Deliveries per call at most; 1 when absent. */
  readonly batch?: number | undefined
  /** Deliveries per call and how long to wait for them, where that is an option; undefined: as `batch` says. */
  batchOf?(options: SchemaOutput<S>): { readonly size: number; readonly waitMs: number } | undefined
  /** Defaults of the subscription's policy with this sink. */
  readonly defaults?:
    | {
        readonly concurrency?: number | undefined
        readonly timeoutMs?: number | undefined
        readonly retry?: Partial<RetryPolicy> | undefined
        /** Deliveries in memory at once. */
        readonly window?: number | undefined
        /** What deliveries are worth; at-least-once when absent. */
        readonly guarantee?: Guarantee | undefined
        /** After so many failures in a row nothing is sent for a while. */
        readonly breaker?: Partial<BreakerPolicy> | undefined
      }
    | undefined
  /**
   * How clients fetch from it over HTTP; absent when it sends by itself. `view`: they read the log through its filter, and
   * it has no ledger. `batches`: they lease deliveries. Then `deliver` is never called.
   */
  readonly served?: 'view' | 'batches' | undefined
  /** For `served: 'view'`: what its options say of the clients. */
  view?(options: SchemaOutput<S>): ViewSettings
  /** For `served: 'batches'`: what its options say of them. */
  batches?(options: SchemaOutput<S>): BatchSettings
  /** Present: subscriptions with it can be made while the pipeline runs, also over HTTP. Never for what runs programs. */
  readonly atRunTime?: RunTimeOptions | undefined
  /** True when what it writes to must not be opened twice in a process: a replay then sends through the sink of live traffic. */
  readonly isSingle?: boolean | undefined
  /** Orderings it can keep; all when absent. */
  readonly orderings?: readonly Ordering[] | undefined
  /** True when `deliver` runs code of the user inside this process: such deliveries can be suspects after a crash. */
  readonly runsUserCode?: boolean | undefined
}
export type AnyDeclaration = StoreDeclaration | SourceDeclaration | StageDeclaration | SinkDeclaration

/** A plug-in with its options, not yet checked and not yet made: what a configuration holds. */
export interface Use<D extends AnyDeclaration = AnyDeclaration> {
  readonly declaration: D
  readonly options: unknown
}

/** Sources have settings beside their own options. */
type InputOf<D extends AnyDeclaration, S extends Schema> = D extends SourceDeclaration
  ? SchemaInput<S> & SourceSettings
  : SchemaInput<S>

/** A declared plug-in: call it with options in code, or name it in a configuration file. */
export type Definition<D extends AnyDeclaration, S extends Schema> = ((
  ...options: undefined extends SchemaInput<S>
    ? [options?: InputOf<D, S>]
    : Record<never, never> extends SchemaInput<S>
      ? [options?: InputOf<D, S>]
      : [options: InputOf<D, S>]
) => Use<D>) & { readonly declaration: D }

// The options' type is erased here and only here: the checked options always come from the same declaration's schema.
function define<D extends AnyDeclaration, S extends Schema>(declaration: unknown): Definition<D, S> {
  const known = declaration as D
  const use = (options?: unknown): Use<D> => ({ declaration: known, options: options ?? {} })
  return Object.assign(use, { declaration: known }) as Definition<D, S>
}

/** Declares a store. The result is called with its options: `sqlite({ path: 'events.db' })`. */
export function defineStore<S extends Schema>(
  declaration: Omit<StoreDeclaration<S>, 'kind'>,
): Definition<StoreDeclaration, S> {
  return define({ kind: 'store', ...declaration })
}
/** Declares a source. */
export function defineSource<S extends Schema>(
  declaration: Omit<SourceDeclaration<S>, 'kind'>,
): Definition<SourceDeclaration, S> {
  return define({ kind: 'source', ...declaration })
}
/** Declares a stage for use by name. For a function in code see `stage()`. */
export function defineStage<S extends Schema>(
  declaration: Omit<StageDeclaration<S>, 'kind'>,
): Definition<StageDeclaration, S> {
  return define({ kind: 'stage', ...declaration })
}
/** Declares a sink. */
export function defineSink<S extends Schema>(
  declaration: Omit<SinkDeclaration<S>, 'kind'>,
): Definition<SinkDeclaration, S> {
  return define({ kind: 'sink', ...declaration })
}
