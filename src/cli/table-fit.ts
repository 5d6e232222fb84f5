/** What is known of a column when a table is fitted to a terminal. */
export interface FittedColumn {
  /** Of its longest text, the title included. */
  readonly width: number
  readonly isNumber: boolean
  /** True when it is neither cut nor left out. */
  readonly isWhole: boolean
  /** True when no row has anything there but nothing or zero. */
  readonly isEmpty: boolean
}

const gap = 2
const leastWidth = 8

/**
 * The widths that columns get on a terminal, undefined for one that is left out. Nothing changes while all fit. Else those
 * that say nothing are left out, from the right, as many as need be; then the last one is made narrower (texts that are
 * wrapped are all alike), then the widest of the texts.
 */
export function fitColumns(
  columns: readonly FittedColumn[],
  terminal: number,
  isWrapped = false,
): (number | undefined)[] {
  const widths: (number | undefined)[] = columns.map(({ width }) => width)
  // The last place of a line stays free: some terminals break there.
  const excess = (): number => {
    const shown = widths.filter((width) => width !== undefined)
    return shown.reduce((sum, width) => sum + width + gap, -gap) - (terminal - 1)
  }
  for (let i = columns.length - 1; i > 0 && excess() > 0; i--)
    if (columns[i]!.isEmpty && !columns[i]!.isWhole) widths[i] = undefined
  const narrow = (i: number): void => {
    widths[i] = Math.max(Math.min(leastWidth, widths[i]!), widths[i]! - Math.max(0, excess()))
  }
  const last = widths.findLastIndex((width) => width !== undefined)
  if (!isWrapped && !columns[last]!.isNumber && !columns[last]!.isWhole) narrow(last)
  while (excess() > 0) {
    const widest = widestText(columns, widths)
    if (widest === undefined) break
    widths[widest] = widths[widest]! - 1
  }
  return widths
}

function widestText(columns: readonly FittedColumn[], widths: readonly (number | undefined)[]): number | undefined {
  let found: number | undefined
  columns.forEach(({ isNumber, isWhole }, i) => {
    const width = widths[i] ?? 0
    if (!isNumber && !isWhole && width > leastWidth && width > (widths[found ?? -1] ?? 0)) found = i
  })
  return found
}

/** A text in lines of at most so many characters, broken between words where it has any. */
export function wrapped(text: string, room: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
    for (; line.length > room; line = line.slice(room)) lines.push(line.slice(0, room))
  }
  return [...lines, line]
}
