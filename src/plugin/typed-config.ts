import type { Event, EventInput } from '../core/event.ts'
import type { StageDeclaration, Use } from './define.ts'
import type { PipelineConfig, SubscriptionConfig } from './pipeline-schema.ts'
import type { Derived, StageResult } from './stage.ts'
import type { FunctionStage, TypedStageInput } from './stage-function.ts'
import type { StageEntry } from './stage-slot.ts'
import type { StandardSchema } from './standard-schema.ts'

/** Types of event with a Standard Schema of their data each, as `events` declares them. This type itself: none are declared. */
export type EventTypes = Readonly<Record<string, StandardSchema>>

/** Where types are declared, and where none are. */
export type IfDeclared<Types extends EventTypes, Then, Else> = string extends keyof Types ? Else : Then

/** The data of a declared type: as it is published, stored and delivered. */
export type DataOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input']

type Prefixes<Type extends string> = Type extends `${infer Head}.${infer Rest}`
  ? `${Head}.*` | `${Head}.${Prefixes<Rest>}`
  : never

/** What `match` may hold: `*`, a declared type, a prefix of one, or a type of the engine. */
export type PatternOf<Types extends EventTypes> = IfDeclared<
  Types,
  '*' | (keyof Types & string) | Prefixes<keyof Types & string> | `millrace.${string}`,
  string
>

type Matches<Type extends string, Pattern extends string> = Pattern extends '*'
  ? Type
  : Pattern extends `${infer Prefix}.*`
    ? Type extends `${Prefix}.${string}`
      ? Type
      : never
    : Type extends Pattern
      ? Type
      : never

/** An event of the engine itself, about what became of others. */
export type EngineEvent = Event & { readonly type: `millrace.${string}` }

/** The events that a pattern lets through, told apart by their `type`. */
export type EventOf<Types extends EventTypes, Pattern extends string = '*'> = IfDeclared<
  Types,
  | {
      [Type in keyof Types & string]: Event<DataOf<Types[Type]>> & { readonly type: Type }
    }[Matches<keyof Types & string, Pattern>]
  | (Pattern extends `millrace.${string}` ? EngineEvent : never),
  Event
>

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

/** What a stage may derive where types are declared. */
export type DerivedOf<Types extends EventTypes> = IfDeclared<
  Types,
  {
    [Type in keyof Types & string]: Omit<Derived, 'type' | 'data'> & {
      readonly type: Type
      readonly data: DataOf<Types[Type]>
    }
  }[keyof Types & string],
  Derived
>

type ResultOf<Types extends EventTypes> = Omit<StageResult, 'derive'> & {
  readonly derive?: readonly DerivedOf<Types>[] | undefined
}

/**
 * A stage in code that knows the data of the events that a pattern lets through, and may derive declared ones only.
 *
 * @example
 * const total: StageOf<typeof events, 'order.*'> = ({ event }) => ({ outcome: 'ack', context: { total: event.data.total } })
 */
export type StageOf<Types extends EventTypes, Pattern extends string = '*'> = (
  input: TypedStageInput<EventOf<Types, Pattern>>,
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is meant
) => ResultOf<Types> | undefined | void | Promise<ResultOf<Types> | undefined | void>

/** A subscription whose stages know the data of what it matches. `Patterns` is what stands in `match`; unknown: nothing does. */
export type TypedSubscription<
  Types extends EventTypes,
  Patterns,
  Pattern extends string = unknown extends Patterns ? '*' : Patterns & string,
> = Omit<SubscriptionConfig, 'match' | 'stages'> & {
  // The first part finds the patterns, the second one judges them.
  readonly match?: (readonly (Patterns | PatternOf<Types>)[] & readonly PatternOf<Types>[]) | undefined
  readonly stages?:
    | readonly (FunctionStage<EventOf<Types, Pattern>> | Use<StageDeclaration> | StageEntry<StageOf<Types, Pattern>>)[]
    | undefined
}

/** A configuration in code. Its `events`, where there are any, type `publish`, `match` and stages; `Patterns` is found from what is written. */
export type TypedPipelineConfig<Types extends EventTypes, Patterns extends Readonly<Record<string, unknown>>> = Omit<
  PipelineConfig,
  'events' | 'streams' | 'subscriptions'
> & {
  readonly events?: Types | undefined
  readonly streams?: readonly PatternOf<Types>[] | undefined
  readonly subscriptions?: { readonly [Name in keyof Patterns]: TypedSubscription<Types, Patterns[Name]> } | undefined
}
