import type { Store } from '../../plugin/store.ts'

interface Entry {
  readonly value: string
  readonly setAt: number
}

/** The key and value space of each source, in memory. */
export function createSourceState(now: () => number): Store['state'] {
  const spaces = new Map<string, Map<string, Entry>>()
  return {
    get: async (source, key) => spaces.get(source)?.get(key)?.value,
    set: async (source, key, value) => {
      let space = spaces.get(source)
      if (space === undefined) {
        space = new Map()
        spaces.set(source, space)
      }
      space.set(key, { value, setAt: now() })
    },
    delete: async (source, key) => {
      if (key === undefined) spaces.delete(source)
      else spaces.get(source)?.delete(key)
    },
    deleteOlderThan: async (source, timeMs) => {
      const space = spaces.get(source) ?? new Map<string, Entry>()
      const old = [...space].filter(([, entry]) => entry.setAt < timeMs)
      for (const [key] of old) space.delete(key)
      return old.length
    },
    list: async (source, prefix = '') =>
      [...(spaces.get(source) ?? [])]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, { value }]) => ({ key, value }))
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
  }
}
