import { stripVTControlCharacters, styleText } from 'node:util'
import { escapeControl } from '../io/escape.ts'
import type { CliIo } from './io.ts'
import { fitColumns, wrapped } from './table-fit.ts'

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
  /** True when it is neither cut nor left out, such as a time. */
  readonly isWhole?: boolean
  readonly style?: (row: Row) => Style | undefined
}

/**
 * Rows as a table: numbers to the right. On a terminal it is fitted to it: texts are cut, or wrapped with `isWrapped`.
 * A table that comes in parts hands in one list as `seen` with each: its columns stay as wide as they were.
 */
export function table<Row>(
  io: Pick<CliIo, 'isTty' | 'env' | 'columns'>,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { isWrapped = false, seen = [] }: { readonly isWrapped?: boolean; readonly seen?: number[] } = {},
): string {
  const values = rows.map((row) => columns.map(({ value }) => value(row)))
  const cells = values.map((line) => line.map(cell))
  const known = columns.map(({ title, isNumber = false, isWhole = false }, i) => ({
    width: Math.max(width(title), seen[i] ?? 0, ...cells.map((line) => width(line[i]!))),
    isNumber,
    isWhole,
    isEmpty: values.every((line) => line[i] === undefined || line[i] === 0),
  }))
  known.forEach((column, i) => {
    seen[i] = column.width
  })
  const widths =
    io.columns === undefined ? known.map((column) => column.width) : fitColumns(known, io.columns, isWrapped)
  const lineOf = (line: readonly string[], styleOf: (i: number) => Style | undefined): string =>
    line
      .flatMap((text, i) => {
        const room = widths[i]
        if (room === undefined) return []
        const aligned = padded(cut(text, room), room, columns[i]!.isNumber === true)
        const style = styleOf(i)
        const isLast = widths.findLastIndex((each) => each !== undefined) === i
        const shown = isLast ? aligned.trimEnd() : aligned
        return [style === undefined ? shown : paint(io, style, shown)]
      })
      .join('  ')
      .trimEnd()
  const head = paint(
    io,
    'bold',
    lineOf(
      columns.map(({ title }) => title),
      () => undefined,
    ),
  )
  const body = cells.flatMap((line, n) => {
    const parts = isWrapped
      ? line.map((text, i) => wrapped(text, widths[i] ?? text.length))
      : line.map((text) => [text])
    return Array.from({ length: Math.max(...parts.map(({ length }) => length)) }, (_, k) =>
      lineOf(
        parts.map((part) => part[k] ?? ''),
        (i) => columns[i]!.style?.(rows[n]!),
      ),
    )
  })
  return [head, ...body].map((line) => `${line}\n`).join('')
}

function padded(text: string, room: number, isNumber: boolean): string {
  const gap = ' '.repeat(Math.max(0, room - width(text)))
  return isNumber ? gap + text : text + gap
}

/** Cut to so many columns, with a mark that something is missing. */
function cut(text: string, room: number): string {
  if (width(text) <= room) return text
  let shown = ''
  for (const character of text) {
    if (width(shown + character) > room - 1) break
    shown += character
  }
  return `${shown}…`
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
