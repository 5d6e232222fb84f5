import type { Ordering, RetryPolicy } from '../core/plan.ts'
import type { Platform } from '../core/platform.ts'
import type { Schema, SchemaInput, SchemaOutput } from './schema.ts'
import type { Sink } from './sink.ts'
import type { Source } from './source.ts'
import type { Stage } from './stage.ts'
import type { Store } from './store.ts'

export const pluginKinds = ['store', 'source', 'stage', 'sink'] as const
export type PluginKind = (typeof pluginKinds)[number]

/** What surrounds a plug-in while it is made: relative paths are resolved against `directory`. */
export interface CreateContext {
  readonly directory: string
  readonly platform: Platform
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
}

export interface StoreDeclaration<S extends Schema = Schema> extends Declaration<'store', S> {
  open(options: SchemaOutput<S>, context: CreateContext): Promise<Store>
}
export interface SourceDeclaration<S extends Schema = Schema> extends Declaration<'source', S> {
  create(options: SchemaOutput<S>, context: CreateContext): Source
  /** True when it has no loop of its own: events reach it by other doors (`http`). */
  readonly isPassive?: boolean | undefined
}
export interface StageDeclaration<S extends Schema = Schema> extends Declaration<'stage', S> {
  create(options: SchemaOutput<S>, context: CreateContext): Stage
  /** True when `process` runs code of the user inside this process. Absent: false for a built-in, true for any other. */
  readonly runsUserCode?: boolean | undefined
}
export interface SinkDeclaration<S extends Schema = Schema> extends Declaration<'sink', S> {
  create(options: SchemaOutput<S>, context: CreateContext): Sink
  /** What a user may rely on, in words, for docs (S0-32). */
  readonly delivers: string
  /** Deliveries per call at most; 1 when absent. */
  readonly batch?: number | undefined
  /** Defaults of the subscription's policy with this sink. */
  readonly defaults?:
    | {
        readonly concurrency?: number | undefined
        readonly timeoutMs?: number | undefined
        readonly retry?: Partial<RetryPolicy> | undefined
      }
    | undefined
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

/** A declared plug-in: call it with options in code, or name it in a configuration file. */
export type Definition<D extends AnyDeclaration, S extends Schema> = ((
  ...options: undefined extends SchemaInput<S>
    ? [options?: SchemaInput<S>]
    : Record<never, never> extends SchemaInput<S>
      ? [options?: SchemaInput<S>]
      : [options: SchemaInput<S>]
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
