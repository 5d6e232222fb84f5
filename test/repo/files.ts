import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's own folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const skipped = new Set(['node_modules', 'dist', 'coverage', '.git', '.millrace', 'results', 'inbox'])

/** Paths of all files below a folder of the repository, `/`-separated, relative to its root, sorted. */
export function filesBelow(folder: string, ending = '.ts'): string[] {
  const found: string[] = []
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (skipped.has(entry.name)) continue
      const below = join(path, entry.name)
      if (entry.isDirectory()) visit(below)
      else if (entry.name.endsWith(ending)) found.push(relative(root, below).split(sep).join('/'))
    }
  }
  if (isThere(folder)) visit(join(root, folder))
  return found.sort()
}

/** True when the repository has this file or folder. */
export function isThere(path: string): boolean {
  return statSync(join(root, path), { throwIfNoEntry: false }) !== undefined
}

/** A file's text. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** True for what ships: neither a test nor what only tests use (`….test-support.ts`, `….test-data.ts`). */
export function isProduct(path: string): boolean {
  return !/\.test(?:-\w+)?\.ts$/.test(path)
}

/**
 * The text with comments blanked, and with the insides of quoted strings too unless they are kept.
 * Line breaks stay, so that line numbers still hold. A scanner, not a parser: good enough for our own formatted code.
 */
export function codeOf(text: string, options: { readonly keepStrings?: boolean } = {}): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?<=[(,=:[!&|?{};\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\//g
  return text.replaceAll(token, (part) => {
    if (part.startsWith('//') || part.startsWith('/*')) return part.replaceAll(/[^\n]/g, ' ')
    if (options.keepStrings === true) return part
    return `${part[0]}${' '.repeat(part.length - 2)}${part.at(-1)}`
  })
}

/** What a file imports (also `export … from` and `import()` of a literal), in order. */
export function importsOf(path: string): string[] {
  const code = codeOf(textOf(path), { keepStrings: true })
  const found: string[] = []
  for (const match of code.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'"`;=]*?\bfrom\s*'([^']+)'/g))
    found.push(match[1]!)
  for (const match of code.matchAll(/(?:^|\n)\s*import\s*'([^']+)'/g)) found.push(match[1]!)
  for (const match of code.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) found.push(match[1]!)
  return found
}

/** The repository path a relative import names. */
export function resolveImport(from: string, name: string): string {
  return posix.normalize(posix.join(posix.dirname(from), name))
}
