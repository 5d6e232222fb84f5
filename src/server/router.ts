import type { Handler } from './context.ts'
import { type Route, type RouteName, routes } from './contract.ts'
import { handlers } from './handlers.ts'

export interface FoundRoute {
  readonly route: Route
  readonly handle: Handler
  readonly params: readonly string[]
}

/** A route; or the methods that the path knows, empty when there is no such path. */
export type Found = FoundRoute | { readonly allowed: readonly string[] }

interface Entry {
  readonly route: Route
  readonly handle: Handler
  readonly segments: readonly string[]
}

const entries: readonly Entry[] = Object.entries(routes).map(([name, route]) => ({
  route,
  handle: handlers[name as RouteName],
  segments: route.path.split('/'),
}))
/** Paths without parameters, and what they have for each method. */
const fixed = new Map<string, Map<string, FoundRoute>>()
for (const { route, handle } of entries) {
  if (route.path.includes('{')) continue
  const methods = fixed.get(route.path) ?? new Map<string, FoundRoute>()
  fixed.set(route.path, methods.set(route.method, { route, handle, params: [] }))
}

/** Finds the route of a method and a raw path. Paths are compared exactly: no doubled slashes, no case folding. */
export function findRoute(method: string, path: string): Found {
  const known = fixed.get(path)?.get(method)
  if (known !== undefined) return known
  const segments = path.split('/')
  const allowed: string[] = []
  for (const entry of entries) {
    const params = matchSegments(entry, segments)
    if (params === undefined) continue
    if (entry.route.method === method) return { route: entry.route, handle: entry.handle, params }
    allowed.push(entry.route.method)
  }
  return { allowed }
}

function matchSegments({ route, segments: wanted }: Entry, given: readonly string[]): readonly string[] | undefined {
  if (wanted.length !== given.length) return undefined
  const params: string[] = []
  for (const [i, segment] of wanted.entries()) {
    const text = given[i] as string
    if (!segment.startsWith('{')) {
      if (segment !== text) return undefined
      continue
    }
    const value = decodeSegment(text)
    const mayBeEmpty = route.isLastOptional === true && i === wanted.length - 1
    if (value === undefined || (value === '' && !mayBeEmpty)) return undefined
    params.push(value)
  }
  return params
}

function decodeSegment(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
