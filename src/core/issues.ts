import type { ErrorCode } from './errors.ts'

/** One problem with something that somebody wrote: a configuration, an event, an option. */
export interface Issue {
  readonly code: ErrorCode
  /** What is wrong and what to do, as a sentence without a full stop; never event data, never a secret. */
  readonly message: string
  /** Where in the value: member names and array indices from its top. */
  readonly path?: readonly (string | number)[] | undefined
  readonly file?: string | undefined
  /** Counts from 1. */
  readonly line?: number | undefined
  /** Counts from 1. */
  readonly column?: number | undefined
  /** The nearest spelling of something that exists. */
  readonly suggestion?: string | undefined
  /** What could stand there, sorted. */
  readonly available?: readonly string[] | undefined
}

/** The issue as one line, place first so that editors can jump to it: `file:line:column: path: message`. */
export function formatIssue(issue: Issue): string {
  const place = [issue.file, issue.line, issue.column].filter((part) => part !== undefined).join(':')
  const whole = issue.path === undefined ? '' : formatPath(issue.path)
  // Many messages begin with the name of what they are about.
  const path = issue.message.startsWith(`${whole} `) ? '' : whole
  const head = [place, path, issue.message].filter((part) => part !== '').join(': ')
  const hint = issue.suggestion === undefined ? '' : `; did you mean ${issue.suggestion}?`
  const list = issue.available === undefined ? '' : ` (available: ${issue.available.join(', ')})`
  return head + hint + list
}

/** `subscriptions.crm.match[0]`; a name that is not a plain word is quoted. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (!/^[\w-]+$/.test(part)) text += `[${JSON.stringify(part)}]`
    else text += text === '' ? part : `.${part}`
  }
  return text
}

/** The candidate that was probably meant: the fewest edits, no more than a third of the word; undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  // Nobody's typing error is this long, and the work grows with the square.
  if (word.length > 100) return undefined
  const wanted = word.toLowerCase()
  let best: string | undefined
  let bestEdits = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestEdits) continue
    const edits = editDistance(wanted, candidate.toLowerCase())
    if (edits < bestEdits) {
      best = candidate
      bestEdits = edits
    }
  }
  return best
}

/** How many insertions, deletions, replacements and swaps of neighbours turn one word into the other. */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let edits = Math.min(above[column]! + 1, current[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) edits = Math.min(edits, before[column - 2]! + 1)
      current.push(edits)
    }
    before = above
    above = current
  }
  return above[b.length]!
}
