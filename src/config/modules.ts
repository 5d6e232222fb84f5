import { existsSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isPlainObject } from '../core/event-fields.ts'
import { type Issue, nearest } from '../core/issues.ts'
import type { PluginKind } from '../plugin/define.ts'
import { splitFile } from '../plugin/isolate/stage.ts'
import { isDefinition, isFilePath, isUse } from '../plugin/slots.ts'
import { isFunctionStage } from '../plugin/stage-function.ts'
import { moduleError } from './module-error.ts'

type Path = readonly (string | number)[]
type Mapping = Record<string, unknown>

/** A configuration whose files of plug-ins are loaded and stand where their paths stood. */
export interface LoadedPlugins {
  readonly value: unknown
  readonly issues: readonly Issue[]
}

interface Place {
  readonly kind: PluginKind | 'upcaster'
  readonly holder: Mapping
  readonly key: 'type' | 'use'
  readonly path: Path
}

/** Loads every plug-in that is named by a file (`use: ./stages/enrich.ts#enrich`), relative to the configuration. Answers a copy. */
export async function loadPlugins(written: unknown, directory: string): Promise<LoadedPlugins> {
  const config = copyOf(written)
  const issues: Issue[] = []
  for (const place of placesOf(config)) {
    const named = place.holder[place.key]
    if (typeof named !== 'string' || !isFilePath(named)) continue
    if (place.kind === 'stage' && isIsolated(place.holder)) {
      const found = findFile(named, directory)
      place.holder[place.key] = found.use
      place.holder['name'] ??= found.name
      if (!found.isThere)
        issues.push({ code: 'config-invalid', path: place.path, message: `there is no file ${found.path}` })
      continue
    }
    const loaded = await load(place.kind, named, directory)
    if ('problem' in loaded)
      issues.push({ code: 'config-invalid', path: place.path, message: loaded.problem, ...loaded.hint })
    else {
      place.holder[place.key] = loaded.found
      if (place.kind === 'stage') place.holder['name'] ??= loaded.name
    }
  }
  return { value: config, issues }
}

/** Copies lists and mappings; what code put there (definitions, called plug-ins, functions) stays itself. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf)
  if (typeof value !== 'object' || value === null || !isPlainObject(value)) return value
  if (isUse(value) || isFunctionStage(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copyOf(each)]))
}

function mapping(value: unknown): Mapping {
  return typeof value === 'object' && value !== null ? (value as Mapping) : {}
}

function* placesOf(config: unknown): Generator<Place> {
  const { store, sources, subscriptions, upcast } = mapping(config)
  yield* placeOf('store', store, ['store'])
  for (const [name, source] of Object.entries(mapping(sources))) yield* placeOf('source', source, ['sources', name])
  for (const [name, subscription] of Object.entries(mapping(subscriptions))) {
    const { sink, stages } = mapping(subscription)
    yield* placeOf('sink', sink, ['subscriptions', name, 'sink'])
    for (const [index, stage] of Object.entries(mapping(stages)))
      yield* placeOf('stage', stage, ['subscriptions', name, 'stages', Number(index)])
  }
  for (const [type, steps] of Object.entries(mapping(upcast)))
    for (const [version, step] of Object.entries(mapping(steps)))
      yield* placeOf('upcaster', step, ['upcast', type, version])
}

function* placeOf(kind: Place['kind'], value: unknown, path: Path): Generator<Place> {
  const holder = mapping(value)
  for (const key of kind === 'stage' || kind === 'upcaster' ? (['use'] as const) : (['type', 'use'] as const))
    yield { kind, holder, key, path: [...path, key] }
}

type Loaded =
  | { readonly found: unknown; readonly name: string }
  | { readonly problem: string; readonly hint?: Pick<Issue, 'available' | 'suggestion'> }

/** It is loaded by the threads that run it, and never here. */
function isIsolated({ isolate }: Mapping): boolean {
  return isolate !== undefined && isolate !== false
}

function findFile(written: string, directory: string) {
  const { file, name } = splitFile(written)
  const path = pathOf(file, directory)
  return { use: `${pathToFileURL(path).href}#${name}`, name: nameOf(name, path), path, isThere: existsSync(path) }
}

/** What a stage that is a function is called unless it is named. */
function nameOf(exported: string, path: string): string {
  return exported === 'default' ? basename(path, extname(path)) : exported
}

function pathOf(file: string, directory: string): string {
  return file.startsWith('file:') ? fileURLToPath(file) : resolve(directory, file)
}

async function load(kind: Place['kind'], written: string, directory: string): Promise<Loaded> {
  const { file, name: exported } = splitFile(written)
  const path = pathOf(file, directory)
  let module: Readonly<Record<string, unknown>>
  try {
    module = await import(pathToFileURL(path).href)
  } catch (error) {
    const isMissing = (error as { code?: unknown; url?: unknown }).code === 'ERR_MODULE_NOT_FOUND' && !existsSync(path)
    return { problem: isMissing ? `there is no file ${path}` : `${file} cannot be loaded: ${moduleError(error)}` }
  }
  const found = module[exported]
  if (found === undefined) return missingExport(file, exported, Object.keys(module).sort())
  const define = `define${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}()`
  const what = exported === 'default' ? `the default export of ${file}` : `${exported} of ${file}`
  if (kind === 'upcaster')
    return typeof found === 'function' ? { found, name: exported } : { problem: `${what} is not a function` }
  if (kind === 'stage' && typeof found === 'function') return { found, name: nameOf(exported, path) }
  // A stage may be made of functions, which no file but its own can give.
  if (isUse(found) && kind === 'stage') return { found, name: found.declaration.name }
  if (isUse(found))
    return { problem: `${what} is already called with options: export what ${define} made, and give the options here` }
  if (isDefinition(found)) return { found, name: exported === 'default' ? found.declaration.name : exported }
  return { problem: `${what} is not a ${kind}: export what ${define} made${kind === 'stage' ? ', or a function' : ''}` }
}

function missingExport(file: string, exported: string, available: readonly string[]): Loaded {
  const suggestion = nearest(exported, available)
  const message =
    exported === 'default'
      ? `${file} has no default export${available.length === 0 ? '' : `: add one, or name an export, as in ${file}#${available[0]}`}`
      : `${file} has no export named ${JSON.stringify(exported)}`
  return {
    problem: message,
    hint: { ...(suggestion === undefined ? {} : { suggestion }), ...(available.length === 0 ? {} : { available }) },
  }
}
