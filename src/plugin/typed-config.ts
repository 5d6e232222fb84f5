import type { Event, EventInput } from '../core/event.ts'
import type { PipelineConfig, SubscriptionConfig } from './pipeline-schema.ts'
import type { FunctionStage } from './stage-function.ts'
import type { StageInputEntry } from './stage-slot.ts'
import type { StandardSchema } from './standard-schema.ts'

/** Types of event with a Standard Schema of their data each, as `events` declares them. */
export type EventTypes = Readonly<Record<string, StandardSchema>>

/** The data of a declared type: as it is published, stored and delivered. */
export type DataOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input']

type Prefixes<Type extends string> = Type extends `${infer Head}.${infer Rest}`
  ? `${Head}.*` | `${Head}.${Prefixes<Rest>}`
  : never

/** What `match` may hold: `*`, a declared type, a prefix of one, or a type of the engine. */
export type PatternOf<Types extends EventTypes> =
  | '*'
  | (keyof Types & string)
  | Prefixes<keyof Types & string>
  | `millrace.${string}`

type Matches<Type extends string, Pattern extends string> = Pattern extends '*'
  ? Type
  : Pattern extends `${infer Prefix}.*`
    ? Type extends `${Prefix}.${string}`
      ? Type
      : never
    : Type extends Pattern
      ? Type
      : never

/** The declared events that a pattern lets through, told apart by their `type`. */
export type EventOf<Types extends EventTypes, Pattern extends string = '*'> = {
  [Type in keyof Types & string]: Event<DataOf<Types[Type]>> & { readonly type: Type }
}[Matches<keyof Types & string, Pattern>]

/** What may be published where types are declared. */
export type InputOf<Types extends EventTypes> = {
  [Type in keyof Types & string]: EventInput<DataOf<Types[Type]>> & {
    readonly type: Type
    readonly data: DataOf<Types[Type]>
  }
}[keyof Types & string]

/** What may be appended to a stream where types are declared. */
export type StreamInputOf<Types extends EventTypes> = {
  [Type in keyof Types & string]: Omit<EventInput<DataOf<Types[Type]>>, 'subject'> & {
    readonly type: Type
    readonly data: DataOf<Types[Type]>
  }
}[keyof Types & string]

/** A subscription whose stages know the data of what it matches. */
export type TypedSubscription<Types extends EventTypes, Pattern extends string> = Omit<
  SubscriptionConfig,
  'match' | 'stages'
> & {
  readonly match?: readonly Pattern[] | undefined
  readonly stages?:
    | readonly (FunctionStage<EventOf<Types, Pattern>> | Exclude<StageInputEntry, FunctionStage>)[]
    | undefined
}

/** A configuration in code whose `events` type `publish`, `match` and stages. `Patterns` is found from what is written. */
export type TypedPipelineConfig<
  Types extends EventTypes,
  Patterns extends Readonly<Record<string, PatternOf<Types>>>,
> = Omit<PipelineConfig, 'events' | 'streams' | 'subscriptions'> & {
  readonly events: Types
  readonly streams?: readonly PatternOf<Types>[] | undefined
  readonly subscriptions?: { readonly [Name in keyof Patterns]: TypedSubscription<Types, Patterns[Name]> }
}
