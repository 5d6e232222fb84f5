import { messageOf } from '../core/errors.ts'

/** Why a module could not be loaded; for text that is no TypeScript with the file, line and column that Node names. */
export function moduleError(error: unknown): string {
  if (!(error instanceof SyntaxError)) return messageOf(error)
  // The file and the line, that line, and marks below what is wrong.
  const [place = '', , marks = ''] = (error.stack ?? '').split('\n')
  if (!/^\S.*:\d+$/.test(place) || !/^ *\^+ *$/.test(marks)) return messageOf(error)
  return `${messageOf(error)} (${place}:${marks.indexOf('^') + 1})`
}
