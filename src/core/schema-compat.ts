import { findNarrowings, type Narrowing } from './schema-narrowing.ts'

/**
 * What a change of a schema keeps: `backward`: who knows the new one reads data of the old; `forward`: who knows the old
 * one reads data of the new; `full`: both; `breaking`: neither.
 */
export const compatibilities = ['full', 'backward', 'forward', 'breaking'] as const
export type Compatibility = (typeof compatibilities)[number]

/** One thing that changed, and which direction it breaks. */
export interface CompatibilityReason {
  readonly breaks: 'backward' | 'forward'
  /** A JSON pointer into the data; empty for the whole. */
  readonly path: string
  readonly message: string
}

export interface SchemaComparison {
  readonly compatibility: Compatibility
  readonly reasons: readonly CompatibilityReason[]
}

/**
 * Compares two versions of a JSON Schema (2020-12). It never calls a change compatible that lets data through which the
 * other side refuses, with one exception that is meant: producers are taken to send no members that their schema does not
 * declare, so that a new optional property is compatible although the old schema would have let it be anything.
 */
export function compareSchemas(old: unknown, next: unknown): SchemaComparison {
  const backward = findNarrowings(old, next).map((found) => reasonOf(found, 'backward'))
  const forward = findNarrowings(next, old).map((found) => reasonOf(found, 'forward'))
  const compatibility =
    backward.length === 0 ? (forward.length === 0 ? 'full' : 'backward') : forward.length === 0 ? 'forward' : 'breaking'
  return { compatibility, reasons: [...backward, ...forward] }
}

function reasonOf({ path, closed, opened }: Narrowing, breaks: CompatibilityReason['breaks']): CompatibilityReason {
  return { breaks, path, message: breaks === 'backward' ? closed : opened }
}
