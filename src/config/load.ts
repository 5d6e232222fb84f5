import { readFileSync, statSync } from 'node:fs'
import { dirname, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../core/errors.ts'
import type { Issue } from '../core/issues.ts'
import type { Platform } from '../core/platform.ts'
import type { Catalogue } from '../plugin/catalogue.ts'
import type { SchemaIssue } from '../plugin/check.ts'
import { type CheckedPipeline, checkPipeline, type PipelinePlan } from '../plugin/pipeline-config.ts'
import { type Environment, substitute, withEnvFile } from './environment.ts'
import { moduleError } from './module-error.ts'
import { loadPlugins } from './modules.ts'
import { type ParsedText, parseText } from './text.ts'

/** A configuration that can run, or every problem with it, in the order of the file. */
export type LoadedConfig =
  | {
      readonly ok: true
      readonly plan: PipelinePlan
      /** The file's folder: relative paths in it are relative to this. */
      readonly directory: string
      readonly warnings: readonly Issue[]
    }
  | { readonly ok: false; readonly issues: readonly Issue[] }

export interface LoadOptions {
  readonly env: Environment
  readonly catalogue: Catalogue
  readonly platform: Platform
  /** False: the `.env` beside the file is not read. */
  readonly readsEnvFile?: boolean | undefined
}

const moduleExtensions = new Set(['.ts', '.mts', '.js', '.mjs'])

/** Reads a configuration: YAML, JSON, or a module whose default export is one. Starts and opens nothing. */
export async function loadConfig(
  source: string | { readonly text: string; readonly file: string },
  options: LoadOptions,
): Promise<LoadedConfig> {
  const file = typeof source === 'string' ? source : source.file
  const directory = dirname(resolve(file))
  if (typeof source === 'string' && moduleExtensions.has(extname(file))) return loadModule(file, directory, options)
  const text = typeof source === 'string' ? readText(source) : source.text
  if (typeof text !== 'string') return { ok: false, issues: [text] }
  const parsed = parseText(text, file)
  if (!parsed.ok) return parsed
  const env = options.readsEnvFile === false ? options.env : withEnvFile(options.env, directory)
  const { value, replaced, issues } = substitute(parsed.value, env, directory)
  const loaded = await loadPlugins(value, directory)
  const checked = checkReplaced(loaded.value, replaced, (config) =>
    checkPipeline(config, options.catalogue, { directory, platform: options.platform }),
  )
  // A file that could not be loaded, or a variable that is missing, would be reported a second time by the schema.
  const before = [...issues, ...loaded.issues]
  const said = new Set(before.map(({ path }) => JSON.stringify(path)))
  const place = (issue: Issue | SchemaIssue) => placed(issue, file, parsed)
  if (checked.ok && before.length === 0 && parsed.issues.length === 0)
    return {
      ok: true,
      plan: checked.plan,
      directory,
      warnings: [...fileWarnings(source), ...checked.warnings.map(place)],
    }
  const after = checked.ok ? [] : checked.issues.filter(({ path }) => !said.has(JSON.stringify(path)))
  const found = [...before, ...after.map((issue) => withoutValue(issue, value, replaced))].map(place)
  const all = [...parsed.issues, ...found]
  return { ok: false, issues: all.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)) }
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; `millrace init` writes one that runs',
  EISDIR: 'it is a folder; name the file in it',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
}

function readText(file: string): string | Issue {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file))
  } catch (error) {
    const why = unreadable[(error as NodeJS.ErrnoException).code ?? ''] ?? messageOf(error)
    return { code: 'config-invalid', file, message: `the configuration cannot be read: ${why}` }
  }
}

async function loadModule(
  file: string,
  directory: string,
  { catalogue, platform }: LoadOptions,
): Promise<LoadedConfig> {
  const refuse = (message: string): LoadedConfig => ({ ok: false, issues: [{ code: 'config-invalid', file, message }] })
  let config: unknown
  try {
    const module = await import(pathToFileURL(resolve(file)).href)
    config = module.default
  } catch (error) {
    return refuse(`the configuration cannot be loaded: ${moduleError(error)}`)
  }
  if (config === undefined) return refuse('the file has no default export: export the configuration as default')
  const loaded = await loadPlugins(config, directory)
  const checked = checkPipeline(loaded.value, catalogue, { directory, platform })
  const place = (issue: Issue | SchemaIssue) => placed(issue, file)
  if (checked.ok && loaded.issues.length === 0)
    return {
      ok: true,
      plan: checked.plan,
      directory,
      warnings: [...fileWarnings(file), ...checked.warnings.map(place)],
    }
  const said = new Set(loaded.issues.map(({ path }) => JSON.stringify(path)))
  const after = checked.ok ? [] : checked.issues.filter(({ path }) => !said.has(JSON.stringify(path)))
  return { ok: false, issues: [...loaded.issues, ...after].map(place) }
}

/** A variable is text; where the schema wants a number or a truth value, one that reads as such is taken as such. */
function checkReplaced(
  value: unknown,
  replaced: ReadonlySet<string>,
  check: (config: unknown) => CheckedPipeline,
): CheckedPipeline {
  const first = check(value)
  if (first.ok) return first
  let hasChanged = false
  for (const { path, expected } of first.issues) {
    if (expected === undefined || !replaced.has(JSON.stringify(path))) continue
    const holder = at(value, path.slice(0, -1)) as Record<string | number, unknown>
    const read = readAs(expected, String(holder[path.at(-1)!]))
    if (read === undefined) continue
    holder[path.at(-1)!] = read
    hasChanged = true
  }
  return hasChanged ? check(value) : first
}

function readAs(expected: 'number' | 'boolean', text: string): number | boolean | undefined {
  if (expected === 'number') return /^-?\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : undefined
  return text === 'true' ? true : text === 'false' ? false : undefined
}

function at(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((part, key) => (part as Record<string | number, unknown> | undefined)?.[key], value)
}

/** What a variable held may be a secret: a message that echoes it is made to speak of the variable instead. */
function withoutValue(issue: SchemaIssue, value: unknown, replaced: ReadonlySet<string>): SchemaIssue {
  const held = at(value, issue.path)
  if (!replaced.has(JSON.stringify(issue.path)) || typeof held !== 'string') return issue
  const { suggestion, ...rest } = issue
  const cut = held.length > 40 ? `${held.slice(0, 40)}…` : held
  const message = [held, held.trim(), cut, held.slice(0, 60)].reduce(
    (text, each) => text.replaceAll(JSON.stringify(each), 'the value of the variable'),
    issue.message,
  )
  return { ...rest, message }
}

function placed(issue: Issue | SchemaIssue, file: string, parsed?: ParsedText): Issue {
  const { isAboutKey, expected, ...rest } = issue as SchemaIssue
  const place = parsed?.locate(rest.path ?? [], isAboutKey === true ? 'key' : 'value')
  return { ...rest, file, ...place }
}

// SEC-74
function fileWarnings(source: string | { readonly text: string }): Issue[] {
  if (typeof source !== 'string' || process.platform === 'win32') return []
  if ((statSync(source).mode & 0o022) === 0) return []
  return [
    {
      code: 'config-invalid',
      file: source,
      message: 'other users may change this file: take that right away with chmod go-w',
    },
  ]
}
