import type { Json } from '../../core/event.ts'

/** What was looked up lately: so many answers, for so long. The one that was used longest ago goes first. */
export interface Cache {
  get(key: string, nowMs: number): { readonly value: Json | undefined } | undefined
  set(key: string, value: Json | undefined, nowMs: number): void
}

/** Makes a cache; with a `size` of 0 nothing is kept. */
export function createCache(ttlMs: number, size: number): Cache {
  const kept = new Map<string, { readonly value: Json | undefined; readonly until: number }>()
  return {
    get(key, nowMs) {
      const found = kept.get(key)
      if (found === undefined) return undefined
      kept.delete(key)
      if (found.until <= nowMs) return undefined
      kept.set(key, found)
      return found
    },
    set(key, value, nowMs) {
      kept.delete(key)
      kept.set(key, { value, until: nowMs + ttlMs })
      if (kept.size > size) kept.delete(kept.keys().next().value!)
    },
  }
}
