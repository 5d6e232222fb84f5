import { stripVTControlCharacters, styleText } from 'node:util'
import type { CliIo } from './io.ts'

export type Style = Parameters<typeof styleText>[0]

/** Colours a text when stdout is a terminal and `NO_COLOR` is not set. */
export function paint(io: CliIo, style: Style, text: string): string {
  return io.isTty && !io.env['NO_COLOR'] ? styleText(style, text, { validateStream: false }) : text
}

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number | undefined
  readonly isNumber?: boolean
  readonly style?: (row: Row) => Style | undefined
}

/** Rows as a table: numbers to the right, the last column as long as it is. */
export function table<Row>(io: CliIo, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(({ value }) => clean(String(value(row) ?? ''))))
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...cells.map((line) => line[i]!.length)))
  const fit = (text: string, i: number): string => (columns[i]!.isNumber ? text.padStart(widths[i]!) : i === columns.length - 1 ? text : text.padEnd(widths[i]!))
  const head = columns.map(({ title }, i) => fit(title, i)).join('  ').trimEnd()
  const lines = cells.map((line, n) =>
    line.map((text, i) => {
      const style = columns[i]!.style?.(rows[n]!)
      return style === undefined ? fit(text, i) : paint(io, style, fit(text, i))
    }).join('  ').trimEnd(),
  )
  return [paint(io, 'bold', head), ...lines].map((line) => `${line}\n`).join('')
}

/** User text on a terminal: no control characters, no line breaks. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, ' ')
}
