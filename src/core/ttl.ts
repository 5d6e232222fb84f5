/** How long after its append an event may still be delivered. */
export interface TtlPolicy {
  /** For types that no pattern names; undefined: without end. */
  readonly defaultMs: number | undefined
  /** By pattern: `*`, `prefix.*` or an exact type. */
  readonly types: ReadonlyMap<string, number>
}

/** The time to live of a type: the exact name, else the longest `prefix.*`, else `*`, else the default. */
export function ttlOf({ types, defaultMs }: TtlPolicy, type: string): number | undefined {
  const exact = types.get(type)
  if (exact !== undefined) return exact
  for (let dot = type.lastIndexOf('.'); dot > 0; dot = type.lastIndexOf('.', dot - 1)) {
    const byPrefix = types.get(`${type.slice(0, dot)}.*`)
    if (byPrefix !== undefined) return byPrefix
  }
  return types.get('*') ?? defaultMs
}
