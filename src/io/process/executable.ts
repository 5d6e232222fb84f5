import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'

export type FoundExecutable =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly problem: string }

export interface WhereToLook {
  /** What a name with a slash is relative to. */
  readonly directory: string
  /** The PATH in which a bare name is looked for. */
  readonly path: string
  readonly platform?: NodeJS.Platform | undefined
}

/** The absolute path of a program, found once, so that what runs later cannot change with PATH or the working folder. */
export function findExecutable(name: string, where: WhereToLook): FoundExecutable {
  const { directory, path, platform = process.platform } = where
  if (platform === 'win32' && isBatchFile(name))
    return { ok: false, problem: `${name} is a batch file, which Windows gives to a shell: name the program itself` }
  const hasFolder = name.includes('/') || (platform === 'win32' && name.includes('\\'))
  const folders = hasFolder || isAbsolute(name) ? [directory] : path.split(delimiter).filter(isAbsolute)
  const names = platform === 'win32' && !/\.(?:exe|com)$/i.test(name) ? [`${name}.exe`, `${name}.com`] : [name]
  for (const folder of folders) {
    for (const each of names) {
      const file = hasFolder || isAbsolute(each) ? resolve(folder, each) : join(folder, each)
      if (canRun(file)) return { ok: true, path: file }
    }
  }
  const place =
    hasFolder || isAbsolute(name) ? resolve(directory, name) : `${name} in PATH (${folders.join(delimiter)})`
  return { ok: false, problem: `there is no program ${place} that may be run` }
}

/** `.bat` and `.cmd`, also as Windows reads them: in any case, with dots and spaces behind. */
export function isBatchFile(name: string): boolean {
  return /\.(?:bat|cmd)[. ]*$/i.test(name)
}

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
