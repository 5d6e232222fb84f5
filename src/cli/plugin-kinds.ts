import { AppError } from '../core/errors.ts'
import { nearest } from '../core/issues.ts'
import { type PluginKind, pluginKinds } from '../plugin/define.ts'

/** Reads the kind of plug-in that a person wrote, singular or plural. Anything else is wrong use. */
export function parseKind(text: string, doing: string): PluginKind {
  const kind = pluginKinds.find((each) => each === text || `${each}s` === text)
  if (kind !== undefined) return kind
  const near = nearest(text, [...pluginKinds, ...pluginKinds.map((each) => `${each}s`)])
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  throw new AppError(
    'usage',
    `${doing} failed: ${JSON.stringify(text.slice(0, 40))} is not a kind of plug-in.${hint} Kinds: ${[...pluginKinds].sort().join(', ')}`,
  )
}
