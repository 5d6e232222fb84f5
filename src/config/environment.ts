import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { messageOf } from '../core/errors.ts'
import type { Issue } from '../core/issues.ts'

type Path = readonly (string | number)[]

/** Variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A value with its variables replaced, where that happened, and what could not be replaced. */
export interface Substituted {
  readonly value: unknown
  /** The paths (as JSON text) of texts that hold the value of a variable. */
  readonly replaced: ReadonlySet<string>
  readonly issues: readonly Issue[]
}

const reference = /\$(?:(\$)|\{([^{}]*)\}|\{.*)/gs
const inside = /^([A-Za-z_]\w*)(?:(:-|:\?)([^$]*))?$/

/**
 * Replaces `${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$` in the texts of a value, never in names, and never
 * in what a replacement brought. Answers a copy.
 */
export function substitute(value: unknown, env: Environment, directory: string): Substituted {
  const replaced = new Set<string>()
  const issues: Issue[] = []
  const text = (written: string, path: Path): string =>
    written.replace(reference, (whole, dollar?: string, name?: string) => {
      if (dollar !== undefined) return '$'
      const found = name === undefined ? 'unreadable' : replacement(name, env, directory)
      if (typeof found === 'object' && 'text' in found) {
        replaced.add(JSON.stringify(path))
        return found.text
      }
      const message =
        found === 'unreadable'
          ? `\${…} can be \${NAME}, \${NAME:-default} or \${NAME:?message}, not nested; for a dollar sign write $$`
          : found.problem
      issues.push({ code: 'config-invalid', message, path })
      return whole
    })
  const go = (part: unknown, path: Path): unknown => {
    if (typeof part === 'string') return text(part, path)
    if (Array.isArray(part)) return part.map((each, index) => go(each, [...path, index]))
    if (typeof part !== 'object' || part === null) return part
    return Object.fromEntries(Object.entries(part).map(([key, each]) => [key, go(each, [...path, key])]))
  }
  return { value: go(value, []), replaced, issues }
}

function replacement(
  written: string,
  env: Environment,
  directory: string,
): { readonly text: string } | { readonly problem: string } | 'unreadable' {
  const match = inside.exec(written)
  if (match === null) return 'unreadable'
  const [, name, operator, rest = ''] = match as unknown as [string, string, ':-' | ':?' | undefined, string?]
  const found = lookUp(name, env, directory)
  if ('problem' in found) return found
  if (found.text !== undefined && (found.text !== '' || operator === undefined)) return { text: found.text }
  if (operator === ':-') return { text: rest }
  if (operator === ':?')
    return { problem: `the environment variable ${name} is not set: ${rest === '' ? 'it is needed' : rest}` }
  return { problem: `the environment variable ${name} is not set: set it, or give a default with \${${name}:-default}` }
}

/** The variable itself, or the content of the file that `NAME_FILE` names (mounted secrets). */
function lookUp(
  name: string,
  env: Environment,
  directory: string,
): { readonly text: string | undefined } | { readonly problem: string } {
  if (Object.hasOwn(env, name) && env[name] !== undefined) return { text: env[name] }
  const file = Object.hasOwn(env, `${name}_FILE`) ? env[`${name}_FILE`] : undefined
  if (file === undefined || file === '') return { text: undefined }
  try {
    return { text: readFileSync(resolve(directory, file), 'utf8').replace(/\r?\n$/, '') }
  } catch (error) {
    return { problem: `the file that ${name}_FILE names cannot be read: ${messageOf(error)}` }
  }
}

/** The environment with the `.env` beside the configuration behind it: what is already set stays. */
export function withEnvFile(env: Environment, directory: string): Environment {
  let text: string
  try {
    text = readFileSync(resolve(directory, '.env'), 'utf8')
  } catch {
    return env
  }
  return { ...parseEnv(text), ...env }
}
