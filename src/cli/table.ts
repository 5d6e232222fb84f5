import { stripVTControlCharacters, styleText } from 'node:util'
import { escapeControl } from '../io/escape.ts'
import type { CliIo } from './io.ts'

export type Style = Parameters<typeof styleText>[0]

/** Colours a text when stdout is a terminal and `NO_COLOR` is not set (to anything but nothing). */
export function paint(io: Pick<CliIo, 'isTty' | 'env'>, style: Style, text: string): string {
  return io.isTty && !io.env['NO_COLOR'] ? styleText(style, text, { validateStream: false }) : text
}

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number | undefined
  /** Right-aligned, with separators of thousands. */
  readonly isNumber?: boolean
  readonly style?: (row: Row) => Style | undefined
}

/** Rows as a table: numbers to the right; on a terminal the last column is cut at its edge. */
export function table<Row>(
  io: Pick<CliIo, 'isTty' | 'env' | 'columns'>,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): string {
  const cells = rows.map((row) => columns.map(({ value }) => cell(value(row))))
  const widths = columns.map(({ title }, i) => Math.max(width(title), ...cells.map((line) => width(line[i]!))))
  return [columns.map(({ title }) => title), ...cells]
    .map((line, n) => {
      const parts = fitted(line, columns, widths, io.columns)
      if (n === 0) return paint(io, 'bold', parts.join('  ').trimEnd())
      const painted = parts.map((text, i) => {
        const style = columns[i]!.style?.(rows[n - 1]!)
        return style === undefined ? text : paint(io, style, text)
      })
      return painted.join('  ').trimEnd()
    })
    .map((line) => `${line}\n`)
    .join('')
}

function fitted<Row>(
  line: readonly string[],
  columns: readonly Column<Row>[],
  widths: readonly number[],
  terminal: number | undefined,
): string[] {
  let used = 0
  return line.map((text, i) => {
    const isLast = i === line.length - 1
    const room = isLast && terminal !== undefined ? Math.max(8, terminal - used - 1) : undefined
    used += widths[i]! + 2
    const gap = ' '.repeat(Math.max(0, widths[i]! - width(text)))
    if (columns[i]!.isNumber === true) return gap + text
    if (isLast) return room !== undefined && text.length > room ? `${text.slice(0, room - 1)}…` : text
    return text + gap
  })
}

function cell(value: string | number | undefined): string {
  if (value === undefined) return '-'
  return typeof value === 'number' ? value.toLocaleString('en-US') : clean(value)
}

/** User text on a terminal: nothing that colours, breaks or reorders lines, and not endless. */
export function clean(text: string, longest = 200): string {
  const short = text.length > longest ? `${text.slice(0, longest - 1)}…` : text
  return escapeControl(stripVTControlCharacters(short))
}

// Characters beyond the BMP and of East Asia take two columns on a terminal.
function width(text: string): number {
  let columns = 0
  for (const character of text) {
    columns +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u.test(
        character,
      )
        ? 2
        : 1
  }
  return columns
}
