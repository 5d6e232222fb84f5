import { AppError } from '../core/errors.ts'
import { checkPattern } from '../core/match.ts'

/** Reads an option whose value is patterns of types, several by comma or by repeating. */
export function patternsOf(name: string): (value: string, before?: readonly string[]) => readonly string[] {
  return (value, before = []) => {
    const given = value.split(',').filter((text) => text !== '')
    for (const text of given) {
      const problem = checkPattern(text)
      if (problem !== undefined)
        throw new AppError('usage', `${name} ${JSON.stringify(text)} is no pattern: ${problem}`)
    }
    return [...before, ...given]
  }
}
