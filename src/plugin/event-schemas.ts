import type { DataProblem } from './json-schema.ts'

/** What becomes of an event whose data does not fit: refused, kept aside, or stored and said. */
export const schemaModes = ['reject', 'quarantine', 'warn'] as const
export type SchemaMode = (typeof schemaModes)[number]

/**
 * Makes data of the next version from data of one. Called for each delivery of an old event: it is pure, quick, and
 * answers at once. The data is frozen. What it answers is never stored.
 */
export type Upcast = (data: never) => unknown

/** One version of a type's schema, ready to check. */
export interface SchemaVersion {
  readonly version: number
  readonly mode: SchemaMode
  check(data: unknown): readonly DataProblem[] | Promise<readonly DataProblem[]>
  /** The schema as JSON Schema, where it is one or can be said as one. */
  readonly json?: Readonly<Record<string, unknown>> | undefined
}

/** All that is registered for one type of event. */
export interface TypeSchemas {
  readonly type: string
  readonly versions: ReadonlyMap<number, SchemaVersion>
  /** From a version to the next. */
  readonly upcasts: ReadonlyMap<number, Upcast>
  /** The version of an event that says none, and the one that deliveries have. */
  readonly newest: number
}

/** What is registered, by type. */
export type EventSchemas = ReadonlyMap<string, TypeSchemas>

export const noSchemas: EventSchemas = new Map()
