import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import { type Api, withApi } from '../api.ts'
import { arrayTexts, type WireEvent } from '../event-search.ts'
import type { CliIo } from '../io.ts'
import { clock, counted, wholeNumber } from '../numbers.ts'
import { patternsOf } from '../patterns.ts'
import { type CommonOptions, optionsOf } from '../settings.ts'
import { storyText, type WireAttempt } from '../story.ts'
import { clean, paint, table } from '../table.ts'

interface DeadOptions extends CommonOptions {
  readonly type?: readonly string[]
  readonly sequence?: readonly string[]
  readonly all?: boolean
  readonly limit?: string
  readonly replay?: string
}

/** A dead letter as the API writes it, with its own text. */
interface DeadLetter {
  readonly sequence: number
  /** Null when the store could not read it. */
  readonly event: WireEvent | null
  readonly reason: string
  readonly error?: string
  readonly attempts: readonly WireAttempt[]
  readonly attemptCount: number
  readonly diedAt: string
  readonly text: string
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, ...value.split(',')]

/** `dead list|show|redrive|discard SUBSCRIPTION`: the deliveries that were given up. */
export function register(program: Command, io: CliIo): void {
  const dead = program
    .command('dead')
    .helpCommand(false)
    .description('List, show, redrive (deliver again) or discard the dead letters of a subscription.')
  dead
    .command('list')
    .description('List the dead letters of a subscription in order of sequence.')
    .argument('<subscription>')
    .option('--type <pattern>', 'exact type, prefix.* or *; several by comma or by repeating', patternsOf('--type'))
    .option('--limit <count>', 'at most this many (default: 50)')
    .option('--replay <id>', 'those of this replay of the subscription')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = optionsOf<DeadOptions>(command)
      await withApi(io, options, 'read', (api) => list(io, api, name, options))
    })
  dead
    .command('show')
    .description('Show one dead letter: its event, why it died, and every attempt.')
    .argument('<subscription>')
    .argument('<sequence>')
    .option('--replay <id>', 'the one of this replay of the subscription')
    .action(async (name: string, text: string, _options: unknown, command: Command) => {
      const options = optionsOf<DeadOptions>(command)
      const sequence = wholeNumber(text, 'the sequence', 1)
      await withApi(io, options, 'read', (api) => show(io, api, name, sequence, options))
    })
  for (const [verb, done, what] of [
    ['redrive', 'redriven', 'Put dead letters back, to be delivered again with new attempts.'],
    ['discard', 'discarded', 'Settle dead letters as discarded: they are never delivered.'],
  ] as const) {
    dead
      .command(verb)
      .description(what)
      .argument('<subscription>')
      .argument('[sequences...]', 'these dead letters')
      .option('--sequence <sequence>', 'these dead letters; several by comma or by repeating', collect)
      .option('--type <pattern>', 'those of these types', patternsOf('--type'))
      .option('--all', 'all of them')
      .option('--replay <id>', 'those of this replay of the subscription')
      .action(async (name: string, sequences: string[], _options: unknown, command: Command) => {
        const options = optionsOf<DeadOptions>(command)
        const selection = selectionOf(sequences, options, verb)
        await withApi(io, options, 'write', (api) => settle(io, api, name, verb, done, selection, options))
      })
  }
}

/** Whose dead letters: those of live traffic, or of one replay. */
function ownerOf({ replay }: DeadOptions): URLSearchParams {
  return new URLSearchParams(replay === undefined ? {} : { replay })
}

function deadPath(name: string, rest = ''): string {
  return `/v1/subscriptions/${encodeURIComponent(name)}/dead${rest}`
}

async function* letters(api: Api, name: string, query: URLSearchParams, limit: number): AsyncGenerator<DeadLetter> {
  let left = limit
  for (let after: number | undefined = 0; after !== undefined && left > 0; ) {
    query.set('after', String(after))
    query.set('limit', String(Math.min(left, 1_000)))
    const text: string = await api.text('GET', `${deadPath(name)}?${query}`)
    const page = JSON.parse(text) as { dead: Omit<DeadLetter, 'text'>[]; next?: number }
    const texts = arrayTexts(text, 'dead')
    for (const [index, letter] of page.dead.entries()) yield { ...letter, text: texts[index] ?? '' }
    left -= page.dead.length
    after = page.next
  }
}

async function list(io: CliIo, api: Api, name: string, options: DeadOptions): Promise<void> {
  const query = ownerOf(options)
  for (const type of options.type ?? []) query.append('type', type)
  const limit = options.limit === undefined ? 50 : wholeNumber(options.limit, '--limit', 1)
  const found = await Array.fromAsync(letters(api, name, query, limit))
  if (options.json === true) {
    if (found.length > 0) io.out(found.map(({ text }) => text).join('\n'))
    return
  }
  if (found.length === 0)
    return io.err(`${name} has no dead letters${options.type === undefined ? '' : ' of that type'}`)
  io.out(
    table(
      io,
      [
        { title: 'sequence', value: ({ sequence }) => String(sequence), isNumber: true },
        { title: 'died (UTC)', value: ({ diedAt }) => clock(diedAt), isWhole: true, style: () => 'dim' },
        { title: 'attempts', value: ({ attemptCount }) => attemptCount, isNumber: true },
        { title: 'type', value: ({ event }) => event?.type, style: () => 'cyan' },
        { title: 'subject', value: ({ event }) => event?.subject },
        { title: 'id', value: ({ event }) => event?.id },
        { title: 'reason', value: ({ reason }) => reason },
      ],
      found,
    ),
  )
  if (found.length === limit) io.err(`There may be more than ${limit}: see --limit.`)
}

async function show(io: CliIo, api: Api, name: string, sequence: number, options: DeadOptions): Promise<void> {
  const query = ownerOf(options)
  for await (const letter of lettersFrom(api, name, sequence - 1, query)) {
    if (letter.sequence !== sequence) break
    if (options.json === true) return io.out(letter.text)
    return io.out(letterText(io, name, letter, options.replay))
  }
  throw new AppError(
    'not-found',
    `event ${sequence} is not a dead letter of ${name}: "millrace explain ${sequence} --subscription ${name}" tells where it is`,
  )
}

async function* lettersFrom(api: Api, name: string, after: number, query: URLSearchParams): AsyncGenerator<DeadLetter> {
  query.set('after', String(after))
  query.set('limit', '1')
  const text = await api.text('GET', `${deadPath(name)}?${query}`)
  const [letter] = (JSON.parse(text) as { dead: Omit<DeadLetter, 'text'>[] }).dead
  const [own] = arrayTexts(text, 'dead')
  if (letter !== undefined && own !== undefined) yield { ...letter, text: own }
}

/** Everything about one dead letter, its event as it would be delivered included. */
function letterText(io: CliIo, name: string, letter: DeadLetter, replay: string | undefined): string {
  const { sequence, event, reason, error, attempts, attemptCount, diedAt } = letter
  const story = storyText(io, {
    sequence,
    ...(event === null ? { unreadable: error } : { event: { ...event, time: event.recordedtime } }),
    deliveries: [
      { subscription: name, replay, state: 'dead', reason, checks: [], attempts, attemptCount, settledAt: diedAt },
    ],
  })
  const lines = [story]
  if (error !== undefined && event !== null) lines.push(`  error: ${clean(error)}`)
  lines.push(
    `  next: nothing until "millrace dead redrive ${name} ${sequence}${replay === undefined ? '' : ` --replay ${replay}`}" or "… dead discard …"`,
    '',
  )
  if (event !== null) lines.push(paint(io, 'bold', 'The event'), cleanLines(indented(letter.text)))
  return lines.join('\n')
}

/** The event of a letter over several lines, its numbers as they were written. */
function indented(text: string): string {
  const asWritten = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && context?.source !== undefined ? rawJson(context.source) : value
  const { event } = JSON.parse(text, asWritten) as { event: unknown }
  return JSON.stringify(event, undefined, 2)
}

// In Node since 21, not yet in the types of this target.
const { rawJSON: rawJson } = JSON as typeof JSON & { rawJSON(text: string): unknown }

/** As `clean`, for text that has lines and may be long. */
function cleanLines(text: string): string {
  return text
    .split('\n')
    .map((line) => clean(line, Number.POSITIVE_INFINITY))
    .join('\n')
}

function selectionOf(words: readonly string[], options: DeadOptions, verb: string): Record<string, unknown> {
  const sequences = [...words, ...(options.sequence ?? [])].map((text) => wholeNumber(text, 'the sequence', 1))
  const { type, all } = options
  if (sequences.length === 0 && type === undefined && all !== true) {
    throw new AppError('usage', `say which to ${verb}: sequences, --type PATTERN, or --all`)
  }
  return {
    ...(sequences.length > 0 && { sequences }),
    ...(type !== undefined && { type }),
    ...(all === true && { all }),
  }
}

async function settle(
  io: CliIo,
  api: Api,
  name: string,
  verb: 'redrive' | 'discard',
  done: 'redriven' | 'discarded',
  selection: Record<string, unknown>,
  options: DeadOptions,
): Promise<void> {
  const answer = await api.call<Record<string, number>>(
    'POST',
    `${deadPath(name, `/${verb}`)}?${ownerOf(options)}`,
    selection,
  )
  const number = answer[done] ?? 0
  if (number === 0) io.setExit(1)
  if (options.json === true) return io.out(JSON.stringify(answer))
  if (number === 0)
    return io.err(
      `nothing was ${done}: ${name} has no such dead letters; "millrace dead list ${name}" shows those it has`,
    )
  const later = verb === 'redrive' && api.pipeline !== undefined ? '; they are delivered when the pipeline runs' : ''
  io.out(`${counted(number, 'dead letter')} of ${name} ${done}${later}`)
}
