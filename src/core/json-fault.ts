type Wanted = 'value' | 'value or ]' | 'name' | 'name or }' | 'colon' | 'more' | 'end'

const wants: Readonly<Record<Wanted, string>> = {
  value: 'a value is needed',
  'value or ]': 'a value or ] is needed',
  name: 'a name in double quotes is needed',
  'name or }': 'a name in double quotes or } is needed',
  colon: 'a colon is needed',
  more: 'a comma or the end of the list or object is needed',
  end: 'nothing may follow the value',
}

const space = /[ \t\n\r]*/y
const word = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y
const escaped = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y

/** Says that a text is not JSON, where it stops being so, and what would have to stand there. */
export function notJson(text: string): string {
  const fault = jsonFault(text)
  if (fault === undefined) return 'is not valid JSON'
  const { line, column, problem } = fault
  return `is not valid JSON at ${line === 1 ? '' : `line ${line}, `}character ${column}: ${problem}`
}

interface JsonFault {
  /** Counted from 1. */
  readonly line: number
  readonly column: number
  readonly problem: string
}

/** Finds the first fault of text that `JSON.parse` refused; undefined when there is none. Never repeats what stands there. */
export function jsonFault(text: string): JsonFault | undefined {
  const open: ('{' | '[')[] = []
  let wanted: Wanted = 'value'
  for (let at = endOf(space, text, 0); ; at = endOf(space, text, at)) {
    const mark = text[at]
    if (mark === undefined)
      return wanted === 'end' ? undefined : placed(text, at, `the text ends too early: ${wants[wanted]}`)
    const isValue: boolean = wanted === 'value' || wanted === 'value or ]'
    if (isValue && (mark === '{' || mark === '[')) {
      open.push(mark)
      wanted = mark === '{' ? 'name or }' : 'value or ]'
      at++
    } else if (mark === '"' && (isValue || wanted === 'name' || wanted === 'name or }')) {
      const { end, problem } = skipText(text, at)
      if (problem !== undefined) return placed(text, end, problem)
      wanted = isValue ? after(open) : 'colon'
      at = end
    } else if (isValue && endOf(word, text, at) > at) {
      wanted = after(open)
      at = endOf(word, text, at)
    } else if (mark === ':' && wanted === 'colon') {
      wanted = 'value'
      at++
    } else if (mark === ',' && wanted === 'more') {
      wanted = open.at(-1) === '{' ? 'name' : 'value'
      at++
    } else if (closes(mark, wanted, open.at(-1))) {
      open.pop()
      wanted = after(open)
      at++
    } else return placed(text, at, wants[wanted])
  }
}

function after(open: readonly string[]): Wanted {
  return open.length === 0 ? 'end' : 'more'
}

function closes(mark: string, wanted: Wanted, open: string | undefined): boolean {
  if (mark === '}') return open === '{' && (wanted === 'more' || wanted === 'name or }')
  return mark === ']' && open === '[' && (wanted === 'more' || wanted === 'value or ]')
}

/** By hand: a pattern that repeats would need memory for each character. */
function skipText(text: string, start: number): { readonly end: number; readonly problem?: string } {
  let at = start + 1
  for (let mark = text[at]; mark !== '"'; mark = text[at]) {
    if (mark === undefined) return { end: start, problem: 'this text has no end' }
    if (mark < ' ') return { end: at, problem: 'a text holds a line break or another control character: escape it' }
    const next = mark === '\\' ? endOf(escaped, text, at) : at + 1
    if (next === at) return { end: at, problem: 'this escape does not exist' }
    at = next
  }
  return { end: at + 1 }
}

function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

function placed(text: string, at: number, problem: string): JsonFault {
  const lineStart = text.lastIndexOf('\n', at - 1) + 1
  return { line: text.slice(0, at).split('\n').length, column: at - lineStart + 1, problem }
}
