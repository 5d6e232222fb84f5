import { AppError } from '../core/errors.ts'
import { type Issue, nearest } from '../core/issues.ts'
import type {
  AnyDeclaration,
  PluginKind,
  SinkDeclaration,
  SourceDeclaration,
  StageDeclaration,
  StoreDeclaration,
} from './define.ts'

/** The declaration that goes with each kind. */
export interface DeclarationOf {
  readonly store: StoreDeclaration
  readonly source: SourceDeclaration
  readonly stage: StageDeclaration
  readonly sink: SinkDeclaration
}

/** Every plug-in that a configuration may name. */
export interface Catalogue {
  find<K extends PluginKind>(kind: K, name: string): DeclarationOf[K] | undefined
  /** Sorted. */
  names(kind: PluginKind): readonly string[]
  /** All declarations of a kind, sorted by name. */
  all<K extends PluginKind>(kind: K): readonly DeclarationOf[K][]
  has(declaration: AnyDeclaration): boolean
  /** What to say about a name that is not there: the nearest spelling and everything there is. */
  unknown(kind: PluginKind, name: string, path?: readonly (string | number)[]): Issue
}

/** A catalogue of these plug-ins. Two of one kind with the same name are an error: neither could be meant. */
export function createCatalogue(
  declared: readonly (AnyDeclaration | { readonly declaration: AnyDeclaration })[],
): Catalogue {
  const byKind: Record<PluginKind, Map<string, AnyDeclaration>> = {
    store: new Map(),
    source: new Map(),
    stage: new Map(),
    sink: new Map(),
  }
  for (const each of declared) {
    const declaration = 'declaration' in each ? each.declaration : each
    const { kind, name } = declaration
    if (byKind[kind].has(name))
      throw new AppError(
        'config-invalid',
        `The catalogue cannot hold two plug-ins of kind ${kind} named ${JSON.stringify(name)}; give one of them another name`,
      )
    byKind[kind].set(name, declaration)
  }
  const names = (kind: PluginKind): readonly string[] => [...byKind[kind].keys()].sort()
  return {
    find: <K extends PluginKind>(kind: K, name: string) => byKind[kind].get(name) as DeclarationOf[K] | undefined,
    names,
    all: <K extends PluginKind>(kind: K) =>
      names(kind).map((name) => byKind[kind].get(name)!) as unknown as DeclarationOf[K][],
    has: (declaration) => byKind[declaration.kind].get(declaration.name) === declaration,
    unknown(kind, name, path) {
      const available = names(kind)
      const suggestion = nearest(name, available)
      return {
        code: 'config-invalid',
        message: `there is no ${kind} named ${JSON.stringify(name.slice(0, 60))}${available.length === 0 ? `, nor any built-in ${kind}` : ''}`,
        ...(path === undefined ? {} : { path }),
        ...(suggestion === undefined ? {} : { suggestion }),
        ...(available.length === 0 ? {} : { available }),
      }
    },
  }
}
