import { basename } from 'node:path'
import type { Event } from '../../core/event.ts'

/** What a placeholder may name beside `data.…`. */
const fields = ['id', 'type', 'source', 'subject', 'time', 'sequence'] as const

/** `{name}` or `{data.a.b}`; doubled braces stand for themselves. */
const pattern = /\{\{|\}\}|\{([A-Za-z]\w*(?:\.[\w-]+)*)\}/g

/** Longer values are for standard input; Linux takes at most 128 KiB in one argument. */
const maxValueBytes = 65_536

export type Filled = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string }

/** The names of the placeholders in a text. */
export function placeholdersIn(template: string): string[] {
  return [...template.matchAll(pattern)].map((match) => match[1]).filter((name) => name !== undefined)
}

/** Why a placeholder cannot be used; undefined when it can. */
export function placeholderProblem(name: string): string | undefined {
  if (name.startsWith('data.') || (fields as readonly string[]).includes(name)) return undefined
  const known = [...fields, 'data.…'].map((each) => `{${each}}`).join(', ')
  return `{${name}} is no placeholder. There are: ${known}. For the braces themselves write {{${name}}}`
}

const interpreters =
  /^(?:(?:ba|da|z|k|c|tc|fi|a)?sh|busybox|node|deno|bun|python[\d.]*|perl|ruby|php|lua|awk|gawk|mawk|sed|osascript|pwsh|powershell|cmd)(?:\.exe)?$/i
const takesScript = /^(?:-\w*[ceEr]|--eval|--execute|--command|-command|\/c)$/i

/** True where what a placeholder fills would be read as code: after the `-c` or `-e` of an interpreter. */
export function isScript(command: readonly string[], index: number): boolean {
  if (index === 0 || !takesScript.test(command[index - 1]!)) return false
  return command.slice(0, index).some((element) => interpreters.test(basename(element)))
}

/**
 * One argument with its placeholders filled from the event: always one element, whatever the values hold. A value that
 * is missing, no text, number or boolean, or too long is a problem; nothing is left out in silence.
 */
export function fill(template: string, event: Event): Filled {
  let problem: string | undefined
  const text = template.replaceAll(pattern, (whole, name: string | undefined) => {
    if (name === undefined) return whole[0]!
    const value = saidBy(name, event)
    problem ??= valueProblem(name, value)
    return String(value)
  })
  return problem === undefined ? { ok: true, text } : { ok: false, problem }
}

function valueProblem(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return `the event has no ${name}, which the command needs`
  if (typeof value === 'object') return `${name} of the event is not a text, number or boolean`
  const text = String(value)
  if (text.includes('\0')) return `${name} of the event holds a NUL character, which no argument can hold`
  if (Buffer.byteLength(text) > maxValueBytes) return `${name} of the event is longer than ${maxValueBytes} bytes`
  return undefined
}

function saidBy(name: string, event: Event): unknown {
  if (!name.startsWith('data.')) return event[name as (typeof fields)[number]]
  let value: unknown = event.data
  for (const key of name.split('.').slice(1)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[key]
  }
  return value
}

/** The arguments for one event. What the event says can never be taken for an option. */
export function fillArguments(
  templates: readonly string[],
  event: Event,
): { readonly ok: true; readonly args: string[] } | { readonly ok: false; readonly problem: string } {
  const args: string[] = []
  for (const template of templates) {
    const filled = fill(template, event)
    if (!filled.ok) return filled
    const isGuarded = !template.startsWith('{') || template.startsWith('{{') || args.includes('--')
    if (!isGuarded && filled.text.startsWith('-')) {
      const hint = 'put "--" before it, or a text such as --name= in front, if the program knows that'
      return { ok: false, problem: `what ${template} stands for begins with - and would be read as an option: ${hint}` }
    }
    args.push(filled.text)
  }
  return { ok: true, args }
}
